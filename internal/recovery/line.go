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

// encode adds an upload as a line: its fields as JSON, those left out that are
// empty. After an error there is nothing new.
func encode(to *bytes.Buffer, u upload.Upload) error {
	u.Fence = 0
	at := to.Len()
	to.WriteString(sealRoom)
	if err := json.NewEncoder(to).Encode((*record)(&u)); err != nil {
		to.Truncate(at)
		return fmt.Errorf("encode upload: %w", err)
	}
	seal(to.Bytes()[at:])
	return nil
}

// A line begins with the CRC-32C of all of it but this: a disk that returns other
// bits than were written is found out even where they are JSON. Lines of earlier
// releases have none.
const (
	sealFormat = `{"sum":"%08x",`
	sealPrefix = `{"sum":"`
	sealRoom   = sealPrefix + `00000000"` // before the line, whose first byte becomes the comma
	sealLength = len(sealRoom) + len(`,`)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal writes the sum of a line into the room before it.
func seal(line []byte) {
	sum := crc32.Checksum(bytes.TrimSuffix(line[len(sealRoom):], []byte("\n")), castagnoli)
	_ = fmt.Appendf(line[:0], sealFormat, sum) // just as long
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
