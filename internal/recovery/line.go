package recovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var errNotALine = errors.New("not a line of the log")

// record is an upload whose members are left out where they are empty. The compiler
// sees to it that it has the same ones.
type record struct {
	ID            upload.ID       `json:",omitzero"`
	BatchID       string          `json:",omitzero"`
	Channel       upload.Channel  `json:",omitzero"`
	Kind          upload.Kind     `json:",omitzero"`
	Filename      string          `json:",omitzero"`
	Source        upload.Identity `json:",omitzero"`
	Digest        string          `json:",omitzero"`
	Rows          int64           `json:",omitzero"`
	Charset       string          `json:",omitzero"`
	Standard      string          `json:",omitzero"`
	PackedSize    int64           `json:",omitzero"`
	PackedDigest  string          `json:",omitzero"`
	State         upload.State    `json:",omitzero"`
	Verdict       upload.Verdict  `json:",omitzero"`
	VerdictReason upload.Reason   `json:",omitzero"`
	Reason        upload.Reason   `json:",omitzero"`
	Detail        string          `json:",omitzero"`
	Attempt       int             `json:",omitzero"`
	Polls         int             `json:",omitzero"`
	ResumeAt      upload.State    `json:",omitzero"`
	Forced        bool            `json:",omitzero"`
	ReplacesID    upload.ID       `json:",omitzero"`
	ContentKey    string          `json:",omitzero"`
	Ticket        upload.Ticket   `json:",omitzero"`
	Receipt       *upload.Receipt `json:",omitzero"`
	Findings      upload.Tally    `json:",omitzero"`
	Place         upload.Place    `json:",omitzero"`
	Path          string          `json:",omitzero"`
	SpottedAt     time.Time       `json:",omitzero"`
	UpdatedAt     time.Time       `json:",omitzero"`
	NextAttemptAt time.Time       `json:",omitzero"`
	SentAt        time.Time       `json:",omitzero"`
	FinishedAt    time.Time       `json:",omitzero"`
	TraceID       string          `json:",omitzero"`
	RootSpanID    string          `json:",omitzero"`
	Fence         int64           `json:",omitzero"`
}

// encode makes an upload a line: its fields as JSON, those left out that are empty.
func encode(u upload.Upload) ([]byte, error) {
	u.Fence = 0
	whole, err := json.Marshal((*record)(&u))
	if err != nil {
		return nil, fmt.Errorf("encode upload: %w", err)
	}
	return append(sealed(whole), '\n'), nil
}

// A line begins with the CRC-32C of all of it but this: a disk that returns other
// bits than were written is found out even where they are JSON. Lines of earlier
// releases have none.
const (
	sealFormat = `{"sum":"%08x",`
	sealPrefix = `{"sum":"`
	sealLength = len(sealPrefix) + 8 + len(`",`)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sealed(line []byte) []byte {
	out := make([]byte, 0, sealLength+len(line)) // of which the line's first byte becomes its last
	return append(fmt.Appendf(out, sealFormat, crc32.Checksum(line, castagnoli)), line[1:]...)
}

// unsealed reports whether the line is what was written.
func unsealed(line []byte) bool {
	if !bytes.HasPrefix(line, []byte(sealPrefix)) || len(line) < sealLength {
		return !bytes.Contains(line, []byte(`"sum"`)) // of an earlier release, or its seal is damaged
	}
	plain := append([]byte{'{'}, line[sealLength:]...)
	return string(line[:sealLength]) == fmt.Sprintf(sealFormat, crc32.Checksum(plain, castagnoli))
}

// decode reads a line. What is not an upload as the log keeps them is an error.
func decode(line []byte) (upload.Upload, error) {
	var u upload.Upload
	line = bytes.TrimSpace(line)
	if !unsealed(line) {
		return u, errNotALine
	}
	if err := json.Unmarshal(line, &u); err != nil {
		return u, errNotALine // the cause would quote the line
	}
	if !u.ID.Valid() || u.Channel == "" || u.Filename == "" || u.UpdatedAt.IsZero() || u.TraceID == "" {
		return u, errNotALine
	}
	switch u.State {
	case upload.StatePacked, upload.StateSent:
		if u.Ticket.IsZero() || u.Digest == "" {
			return u, errNotALine
		}
	case upload.StateDecided:
		if !u.Verdict.Valid() || u.Digest == "" {
			return u, errNotALine
		}
	case upload.StateCancelled:
	default:
		return u, errNotALine
	}
	return u, nil
}
