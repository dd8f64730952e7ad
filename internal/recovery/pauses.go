package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Pause is that an operator has paused a channel.
type Pause struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

func pauseName(ch upload.Channel) string { return "paused-" + string(ch) + ".json" }

// KeepPause makes a pause durable: a file that is there for as long as it lasts.
func (l *Log) KeepPause(ch upload.Channel, p Pause) error {
	if l == nil || l.dir == nil {
		return nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode pause: %w", err)
	}
	if err := l.dir.WriteFile("."+pauseName(ch)+".new", pauseName(ch), text); err != nil {
		return durable.Fault(err, "keep that the channel is paused")
	}
	return nil
}

// EndPause forgets the pause of a channel; without one it does nothing.
func (l *Log) EndPause(ch upload.Channel) error {
	if l == nil || l.dir == nil {
		return nil
	}
	if err := l.dir.Remove(pauseName(ch)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return durable.Fault(err, "keep that the channel is no longer paused")
	}
	return nil
}

// Paused is the pause of a channel, if one was kept. A file that cannot be read
// as one counts as a pause by nobody known: an operator can end it, and nothing
// is sent meanwhile that somebody wanted held.
func (l *Log) Paused(ch upload.Channel) (Pause, bool, error) {
	if l == nil || l.dir == nil {
		return Pause{}, false, nil
	}
	f, err := l.dir.OpenRead(pauseName(ch))
	if errors.Is(err, fs.ErrNotExist) {
		return Pause{}, false, nil
	}
	if err != nil {
		return Pause{}, false, durable.Fault(err, "read whether the channel is paused")
	}
	defer f.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(f, maxLine))
	if err != nil {
		return Pause{}, false, durable.Fault(err, "read whether the channel is paused")
	}
	var p Pause
	_ = json.Unmarshal(text, &p) // else nobody known
	return p, true, nil
}
