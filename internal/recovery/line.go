package recovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var errNotALine = errors.New("not a line of the log")

// encode makes an upload a line: its fields as JSON, those left out that are empty.
func encode(u upload.Upload) ([]byte, error) {
	u.Fence = 0
	whole, err := json.Marshal(u)
	if err != nil {
		return nil, fmt.Errorf("encode upload: %w", err)
	}
	return append(sealed(filled(whole)), '\n'), nil
}

// filled leaves the empty members out of an object as Marshal has written it, in
// its place.
func filled(object []byte) []byte {
	out := object[:1]
	for rest := object[1:]; len(rest) > 1; {
		n := member(rest)
		this := rest[:n]
		if rest = rest[n:]; rest[0] == ',' {
			rest = rest[1:]
		}
		if _, value, _ := bytes.Cut(this, []byte(":")); empty(value) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, this...)
	}
	return append(out, '}')
}

func empty(value []byte) bool {
	switch string(value) {
	case `""`, `0`, `false`, `null`, `"0001-01-01T00:00:00Z"`:
		return true
	default:
		return false
	}
}

// member is the length of the object's member at the head of text: up to a comma
// or the closing brace that is neither in a string nor in a value within.
func member(text []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			depth++
		case depth > 0 && (b == '}' || b == ']'):
			depth--
		case depth == 0 && (b == ',' || b == '}'):
			return i
		}
	}
	return len(text)
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
