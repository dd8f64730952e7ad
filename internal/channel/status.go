package channel

import (
	"context"
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// State is a channel's standing, as shown.
type State string

// The states, the strongest first.
const (
	Unconfigured State = "unconfigured"
	Paused       State = "paused"
	Blocked      State = "blocked"
	Refused      State = "refused"
	Offline      State = "offline"
	OK           State = "ok"
)

// States lists the states, the strongest first.
func States() []State { return []State{Unconfigured, Paused, Blocked, Refused, Offline, OK} }

// Record is what must be known of a channel after a restart. The zero record
// is that of a channel never heard of.
type Record struct {
	Channel upload.Channel
	State   string // the State shown last
	Reason  upload.Reason
	Detail  string // refused: the server's own words; else ours

	Paused   bool
	PausedBy string
	PausedAt time.Time

	RefusedSince   time.Time // zero: the credentials are not refused
	NextProbeAt    time.Time
	RefusalsToday  int // askings with refused credentials
	RefusalDay     string
	CredentialHash string // of the credentials that were refused

	UpdatedAt time.Time
	Seen      time.Time // UpdatedAt of the record that this one was made from
}

// ErrConflict says that another process changed the record meanwhile.
var ErrConflict = errors.New("the channel's record was changed meanwhile")

// Store keeps records.
type Store interface {
	// Channel gives an empty record for a channel it does not know.
	Channel(ctx context.Context, ch upload.Channel) (Record, error)
	// SaveChannel puts r in place of the record it was made from, or returns
	// ErrConflict.
	SaveChannel(ctx context.Context, r Record) error
}

// Status is a channel's standing at one moment.
type Status struct {
	Channel upload.Channel
	State   State
	Reason  upload.Reason
	Detail  string
	// ServerMessage is what the server said when it refused: untrusted, to be
	// shown to operators and kept out of logs.
	ServerMessage string
	PausedBy      string
	PausedAt      time.Time
	RefusedSince  time.Time
	NextProbeAt   time.Time // refused: when the credentials are tried again
	OfflineSince  time.Time
}
