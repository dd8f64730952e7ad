package sandbox

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// StepName names one of the protocol's three questions.
type StepName string

// The steps, and the word for all of them.
const (
	StepToken  StepName = "gettoken"
	StepUpload StepName = "upload"
	StepResult StepName = "result"
	StepAny    StepName = "any"
)

// FaultKind says what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	// FaultStatus answers with the HTTP status Code, and Retry-After when RetryAfter is set.
	FaultStatus FaultKind = "status"
	// FaultCut reads Bytes of the request's body and closes the connection; nothing arrives.
	FaultCut FaultKind = "cut"
	// FaultCutAnswer does the work and closes the connection after Bytes of the answer.
	FaultCutAnswer FaultKind = "cut-answer"
	// FaultLost does the work and closes the connection without an answer.
	FaultLost FaultKind = "lost"
	// FaultForget answers that all went well and forgets the upload.
	FaultForget FaultKind = "forget"
	// FaultReset closes the connection at once.
	FaultReset FaultKind = "reset"
	// FaultSlow does the work, the body read at Rate bytes a second, the answer after Delay.
	FaultSlow FaultKind = "slow"
	// FaultHang answers nothing, until Delay has passed or the client goes away; then closes.
	FaultHang FaultKind = "hang"
	// FaultHTML answers with a maintenance page in HTML (status Code, default 200).
	FaultHTML FaultKind = "html"
	// FaultTruncated answers with JSON that breaks off, under a Content-Length that fits.
	FaultTruncated FaultKind = "truncated"
	// FaultHuge answers with JSON of Bytes bytes (default 64 MiB).
	FaultHuge FaultKind = "huge"
	// FaultText answers with something that is no JSON.
	FaultText FaultKind = "text"
	// FaultRefuse answers succ:false with Message.
	FaultRefuse FaultKind = "refuse"
	// FaultTokenUnknown and FaultTokenExpired answer succ:false about the token.
	FaultTokenUnknown FaultKind = "token-unknown"
	FaultTokenExpired FaultKind = "token-expired"
	// FaultRedirect answers with a redirect (status Code, default 302) to Location.
	FaultRedirect FaultKind = "redirect"
)

// FaultKinds lists every kind.
func FaultKinds() []FaultKind {
	return []FaultKind{
		FaultStatus, FaultCut, FaultCutAnswer, FaultLost, FaultForget, FaultReset, FaultSlow, FaultHang, FaultHTML,
		FaultTruncated, FaultHuge, FaultText, FaultRefuse, FaultTokenUnknown, FaultTokenExpired, FaultRedirect,
	}
}

// Fault is a fault on request. Of several that fit, the one set first strikes.
type Fault struct {
	ID   int64     `json:"id"` // given by the sandbox
	Step StepName  `json:"step"`
	Kind FaultKind `json:"kind"`

	// What it strikes.
	Channel upload.Channel `json:"channel,omitempty"` // only this channel
	File    string         `json:"file,omitempty"`    // only names of this pattern; never fits gettoken
	After   int            `json:"after,omitempty"`   // let this many go by first
	Count   int            `json:"count,omitempty"`   // strike so often; 0: until cleared

	// How.
	Code       int      `json:"code,omitempty"`
	RetryAfter Duration `json:"retry_after,omitzero"`
	Bytes      int64    `json:"bytes,omitempty"`
	Rate       int64    `json:"rate,omitempty"`
	Delay      Duration `json:"delay,omitzero"`
	Message    string   `json:"message,omitempty"`
	Location   string   `json:"location,omitempty"`
	// Processed: the work is done before the false answer goes out.
	Processed bool `json:"processed,omitempty"`
	// Early: the false answer goes out before the body is read.
	Early bool `json:"early,omitempty"`

	// Struck is how often it struck.
	Struck int `json:"struck"`
}

// Duration is a time.Duration written like 1m30s in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// check refuses a fault that cannot be meant.
func (f Fault) check() error {
	var wrong []string
	if !slices.Contains([]StepName{StepToken, StepUpload, StepResult, StepAny}, f.Step) {
		wrong = append(wrong, "step must be gettoken, upload, result or any")
	}
	if !slices.Contains(FaultKinds(), f.Kind) {
		wrong = append(wrong, fmt.Sprintf("kind must be one of %v", FaultKinds()))
	}
	if f.Kind == FaultStatus && f.Code == 0 {
		wrong = append(wrong, "status needs a code")
	}
	if f.Code != 0 && (f.Code < 200 || f.Code > 599) {
		wrong = append(wrong, "code must be within 200 and 599")
	}
	if f.Kind == FaultRedirect && f.Location == "" {
		wrong = append(wrong, "redirect needs a location")
	}
	if strings.ContainsAny(f.Location, "\r\n") {
		wrong = append(wrong, "location must be one line")
	}
	if f.After < 0 || f.Count < 0 || f.Bytes < 0 || f.Rate < 0 || f.Delay < 0 || f.RetryAfter < 0 || f.Bytes > gibi {
		wrong = append(wrong, "numbers must not be negative, nor bytes above 1 GiB")
	}
	if _, err := path.Match(f.File, ""); err != nil {
		wrong = append(wrong, "file is no pattern")
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New("fault: " + strings.Join(wrong, "; "))
}

// ParseFault reads the short form step:kind[,name=value…], for example
// "upload:status,code=503,retry_after=5s,count=2,file=flu_*".
func ParseFault(text string) (Fault, error) {
	head, rest, _ := strings.Cut(text, ",")
	step, kind, ok := strings.Cut(head, ":")
	if !ok {
		return Fault{}, fmt.Errorf("fault %q: want step:kind[,name=value…]", text)
	}
	f := Fault{Step: StepName(strings.TrimSpace(step)), Kind: FaultKind(strings.TrimSpace(kind))}
	for pair := range strings.SplitSeq(rest, ",") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if err := f.set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %s: %w", text, name, err)
		}
	}
	return f, f.check()
}

func (f *Fault) set(name, value string) (err error) {
	switch name {
	case "channel":
		f.Channel = upload.Channel(value)
	case "file":
		f.File = value
	case "message":
		f.Message = value
	case "location":
		f.Location = value
	case "after":
		f.After, err = strconv.Atoi(value)
	case "count":
		f.Count, err = strconv.Atoi(value)
	case "code":
		f.Code, err = strconv.Atoi(value)
	case "bytes":
		f.Bytes, err = strconv.ParseInt(value, 10, 64)
	case "rate":
		f.Rate, err = strconv.ParseInt(value, 10, 64)
	case "delay":
		err = f.Delay.UnmarshalText([]byte(value))
	case "retry_after":
		err = f.RetryAfter.UnmarshalText([]byte(value))
	case "processed", "early":
		var on bool
		on, err = strconv.ParseBool(cmpOr(value, "true"))
		if name == "early" {
			f.Early = on
		} else {
			f.Processed = on
		}
	default:
		err = errors.New("no such particular")
	}
	return err
}

func cmpOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// faults is the list of faults in force.
type faults struct {
	mu     sync.Mutex
	list   []*faultState
	lastID int64
}

type faultState struct {
	Fault
	passed int
}

func (fs *faults) add(f Fault) Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.lastID++
	f.ID, f.Struck = fs.lastID, 0
	fs.list = append(fs.list, &faultState{Fault: f})
	return f
}

// inForce reports whether there is any fault at all.
func (fs *faults) inForce() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.list) > 0
}

// take finds the fault that strikes a request and counts it.
func (fs *faults) take(step StepName, ch upload.Channel, filename string) (Fault, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.list {
		switch {
		case f.Step != StepAny && f.Step != step,
			f.Channel != "" && f.Channel != ch,
			f.File != "" && (filename == "" || !matchesAny([]string{f.File}, filename)),
			f.Count > 0 && f.Struck >= f.Count:
			continue
		}
		if f.passed < f.After {
			f.passed++
			continue
		}
		f.Struck++
		return f.Fault, true
	}
	return Fault{}, false
}

func (fs *faults) snapshot() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	all := make([]Fault, 0, len(fs.list))
	for _, f := range fs.list {
		all = append(all, f.Fault)
	}
	return all
}

// remove drops the fault id, or all when id is 0; it reports how many went.
func (fs *faults) remove(id int64) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.list)
	fs.list = slices.DeleteFunc(fs.list, func(f *faultState) bool { return id == 0 || f.ID == id })
	return before - len(fs.list)
}
