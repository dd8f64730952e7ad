package telemetry

import (
	"encoding/json"
	"log/slog"
	"sync"
	"time"
)

const (
	recentLines = 1000
	recentLine  = 4 << 10 // bytes of a line; of a longer one the beginning of its message is kept
)

// Line is a line of the log, as it was written.
type Line struct {
	Seq        int64 // grows by one from line to line
	Time       time.Time
	Level      slog.Level
	Message    string
	Attributes map[string]any
}

// Recent keeps the latest lines of the log: at most about a thousand, of at most
// some KiB each. It is what a handler for JSON writes to, so that it holds
// exactly what the log holds. Safe for concurrent use.
type Recent struct {
	mu    sync.Mutex
	lines [][]byte // a ring: line seq is at seq % recentLines
	seq   int64    // of the next line
}

// Write implements io.Writer: p is one line.
func (r *Recent) Write(p []byte) (int, error) {
	line := append([]byte(nil), p...)
	if len(line) > recentLine {
		line = shortened(line)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < recentLines {
		r.lines = append(r.lines, line)
	} else {
		r.lines[r.seq%recentLines] = line
	}
	r.seq++
	return len(p), nil
}

// written is how the handler writes what every line has.
type written struct {
	Time    time.Time  `json:"time"`
	Level   slog.Level `json:"level"`
	Message string     `json:"msg"`
	Channel string     `json:"channel,omitempty"`
	Upload  string     `json:"upload_id,omitempty"`
}

// shortened is a long line without most of what it holds.
func shortened(line []byte) []byte {
	var w written
	if json.Unmarshal(line, &w) != nil {
		return nil
	}
	if len(w.Message) > recentLine/2 {
		w.Message = w.Message[:recentLine/2]
	}
	short, _ := json.Marshal(w) // strings and a time do not fail
	return short
}

// Asked says which lines are wanted; zero values do not choose.
type Asked struct {
	Level    slog.Level // and above
	Channel  string
	UploadID string
	Before   int64 // only lines of a smaller Seq; 0: the latest
	Limit    int
}

// Lines gives the lines asked for, the latest first, and whether there are more.
func (r *Recent) Lines(a Asked) (lines []Line, more bool) {
	raw, first := r.copied()
	for i := len(raw) - 1; i >= 0; i-- {
		seq := first + int64(i)
		if a.Before > 0 && seq >= a.Before {
			continue
		}
		l, ok := parsed(raw[i])
		if !ok || l.Level < a.Level || a.Channel != "" && l.Attributes["channel"] != a.Channel || a.UploadID != "" && l.Attributes["upload_id"] != a.UploadID {
			continue
		}
		if len(lines) == a.Limit {
			return lines, true
		}
		l.Seq = seq
		lines = append(lines, l)
	}
	return lines, false
}

// copied is the ring, the oldest line first, and that one's number.
func (r *Recent) copied() (lines [][]byte, first int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = r.seq - int64(len(r.lines))
	for seq := first; seq < r.seq; seq++ {
		lines = append(lines, r.lines[seq%recentLines])
	}
	return lines, first
}

func parsed(line []byte) (Line, bool) {
	var w written
	var all map[string]any
	if json.Unmarshal(line, &w) != nil || json.Unmarshal(line, &all) != nil {
		return Line{}, false
	}
	for _, shown := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey} {
		delete(all, shown)
	}
	return Line{Time: w.Time, Level: w.Level, Message: w.Message, Attributes: all}, true
}
