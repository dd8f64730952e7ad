package settle

import (
	"sync"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Writer is the answer to: has anybody this file open for writing?
type Writer int

// The answers.
const (
	// Unknown: it cannot be said.
	Unknown Writer = iota
	// Nobody has it open for writing.
	Nobody
	// Writing: somebody has.
	Writing
)

// Doubt says why a probe cannot say.
type Doubt string

// The doubts.
const (
	// NotOwner: the file belongs to another user and CAP_LEASE is missing.
	NotOwner Doubt = "not_owner"
	// ForeignFileSystem: a network, FUSE or unknown file system, which may have writers
	// that this kernel does not see.
	ForeignFileSystem Doubt = "file_system"
	// NoLeases: the kernel or the file system gives no leases.
	NoLeases Doubt = "no_leases"
	// Moved: the path could not be opened, or leads to another file by now.
	Moved Doubt = "moved"
)

// Prober asks whether anybody has the file at path open for writing. The file
// is expected to be the one seen; where it is another, the answer is Unknown.
type Prober func(path string, seen upload.Identity) (Writer, Doubt)

// ProbeState says how the probe has fared in a directory.
type ProbeState string

// The states.
const (
	// Untried: no file has been probed yet.
	Untried ProbeState = "untried"
	// Works: the latest file probed gave an answer.
	Works ProbeState = "works"
	// CannotSay: the latest file probed gave none; twice the quiet period is waited.
	CannotSay ProbeState = "cannot_say"
)

// probeRecord keeps how the latest probe went.
type probeRecord struct {
	mu    sync.Mutex
	tried bool
	doubt Doubt
}

func (p *probeRecord) note(w Writer, d Doubt) {
	if d == Moved { // says nothing of the directory
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried, p.doubt = true, ""
	if w == Unknown {
		p.doubt = d
	}
}

func (p *probeRecord) state() (ProbeState, Doubt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.tried:
		return Untried, ""
	case p.doubt != "":
		return CannotSay, p.doubt
	default:
		return Works, ""
	}
}
