package settle

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// maxMarker bounds how much of a marker is read.
const maxMarker = 64 << 10

// Markers lists the names that mark the file name as complete: "<name>.ok",
// "<name>.done" and "<stem>.ok". A marker may be empty, or carry the file's
// size in bytes, its rows (data rows; the header and empty lines are not
// counted) or its SHA-256, as lines "key=value" or as one JSON object with the
// keys size, rows and sha256; what sha256sum writes is understood too.
func Markers(name string) []string {
	stem := strings.TrimSuffix(name, path.Ext(name))
	return []string{name + ".ok", name + ".done", stem + ".ok"}
}

// marked completes a file when its marker says so. A writer that still has
// either open is waited for all the same, and a marker older than the file's
// last write belongs to an earlier export.
func (s *Stage) marked(ctx context.Context, ch *channel, u upload.Upload, l look) (upload.Outcome, error) {
	name, mark, err := findMarker(ch.Dir, u.Filename)
	switch {
	case err != nil:
		return upload.Outcome{}, durable.Fault(err, "look for the marker")
	case name == "":
		return upload.HoldLooking(pause(l, min(ch.Quiet, time.Second), 10*time.Second), upload.MarkerMissing, l.seen), nil
	case mark.ModTime < l.seen.ModTime && mark.ChangeTime < l.seen.ChangeTime:
		return upload.Hold(pause(l, ch.Quiet, 10*time.Second), upload.MarkerMissing, "the marker is older than the file"), nil
	}
	if ch.probe(u.Filename, l.seen) == Writing {
		return s.writing(ch, u, l), nil
	}
	still := s.memory.lookMarker(u.ID, mark, s.now())
	switch ch.probe(name, mark) {
	case Writing:
		return s.writing(ch, u, l), nil
	case Unknown:
		if still < ch.Quiet {
			return upload.HoldLooking(ch.Quiet-still, upload.QuietPeriod, l.seen), nil
		}
	case Nobody:
	}
	return s.compare(ctx, ch, u, l, name, mark)
}

// compare holds the file against what its marker claims.
func (s *Stage) compare(ctx context.Context, ch *channel, u upload.Upload, l look, name string, mark upload.Identity) (upload.Outcome, error) {
	const again = 5 * time.Second
	if detail, ok := s.memory.refused(u.ID, l.seen, mark); ok {
		return upload.Hold(pause(l, again, 30*time.Second), upload.MarkerMismatch, detail), nil
	}
	detail, err := mismatch(ctx, ch.Dir, u.Filename, l.seen, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return upload.HoldLooking(min(ch.Quiet, time.Second), upload.StillChanging, l.seen), nil
	case err != nil && ctx.Err() != nil:
		return upload.Outcome{}, upload.PassingFault(upload.InternalFault, "stopped", ctx.Err())
	case err != nil:
		return upload.Outcome{}, durable.Fault(err, "compare the file with its marker")
	case detail != "":
		s.memory.refuse(u.ID, refusal{file: l.seen, marker: mark, detail: detail})
		return upload.Hold(again, upload.MarkerMismatch, detail), nil
	}
	return s.complete(ch, u, l)
}

// mismatch says in what the file differs from its marker; empty: in nothing.
func mismatch(ctx context.Context, dir Directory, file string, seen upload.Identity, marker string) (string, error) {
	text, err := readMarker(dir, marker)
	if err != nil {
		return "", err
	}
	want, err := parseMarker(text)
	if err != nil {
		return err.Error(), nil //nolint:nilerr // a marker that cannot be understood is a mismatch, told to the operator
	}
	if want.size != nil && *want.size != seen.Size {
		return fmt.Sprintf("size: the marker says %d, the file has %d", *want.size, seen.Size), nil
	}
	if want.rows == nil && want.sha256 == "" {
		return "", nil
	}
	rows, digest, err := measure(ctx, dir, file)
	switch {
	case err != nil:
		return "", err
	case want.sha256 != "" && want.sha256 != digest:
		return "sha256: the marker's digest is not the file's", nil
	case want.rows != nil && *want.rows != rows:
		return fmt.Sprintf("rows: the marker says %d, the file has %d", *want.rows, rows), nil
	}
	return "", nil
}

// findMarker gives the first marker that is there, or no name.
func findMarker(dir Directory, file string) (string, upload.Identity, error) {
	for _, name := range Markers(file) {
		id, err := dir.Look(name)
		switch {
		case err == nil:
			return name, id, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, durable.ErrNotRegular):
		default:
			return "", upload.Identity{}, err
		}
	}
	return "", upload.Identity{}, nil
}

func readMarker(dir Directory, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return io.ReadAll(io.LimitReader(f, maxMarker))
}

// claim is what a marker says of its file.
type claim struct {
	size, rows *int64
	sha256     string // lower-case hex; empty: nothing said
}

var errMarker = errors.New("the marker cannot be understood")

// parseMarker reads a claim. Keys and lines it does not know are passed over;
// a known key with an impossible value is an error.
func parseMarker(text []byte) (claim, error) {
	var c claim
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if bytes.HasPrefix(text, []byte("{")) {
		var fields map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&fields); err != nil {
			return c, errMarker
		}
		for k, v := range fields {
			if err := c.set(k, fmt.Sprint(v)); err != nil {
				return c, err
			}
		}
		return c, nil
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, "=")
		if !found {
			key, value, found = strings.Cut(line, ":")
		}
		if digest, _, _ := strings.Cut(line, " "); !found && isDigest(digest) {
			key, value = "sha256", digest
		}
		if err := c.set(key, value); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *claim) set(key, value string) error {
	value = strings.Trim(strings.TrimSpace(value), `"`)
	switch strings.ToLower(strings.TrimSpace(key)) {
	case "size", "rows":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return errMarker
		}
		if strings.EqualFold(strings.TrimSpace(key), "size") {
			c.size = &n
		} else {
			c.rows = &n
		}
	case "sha256", "sha-256":
		value = strings.TrimPrefix(strings.ToLower(value), "sha-256:")
		if !isDigest(value) {
			return errMarker
		}
		c.sha256 = strings.ToLower(value)
	}
	return nil
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

// measure reads the file once for its data rows and its SHA-256.
func measure(ctx context.Context, dir Directory, name string) (rows int64, digest string, err error) {
	f, err := dir.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close() //nolint:errcheck // read only
	sum, count := sha256.New(), rowCounter{start: true}
	r := bufio.NewReaderSize(f, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return 0, "", err
		}
		chunk, err := r.Peek(r.Size())
		sum.Write(chunk)
		count.write(chunk)
		_, _ = r.Discard(len(chunk))
		if errors.Is(err, io.EOF) {
			return max(count.end()-1, 0), hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return 0, "", err
		}
	}
}

// rowCounter counts records of CSV, header included: line breaks inside quoted
// fields do not end one, empty lines are none. It works on raw bytes: neither
// UTF-8 nor GB18030 uses these bytes inside a character.
type rowCounter struct {
	rows   int64
	quoted bool
	start  bool // at the start of a field
	filled bool // the line has something in it
}

func (c *rowCounter) write(p []byte) {
	for _, b := range p {
		switch {
		case c.quoted:
			c.quoted = b != '"' // "" within a field opens it again at once
			c.start = b == '"'
		case b == '\n':
			c.end()
			c.start = true
		case b == '"' && c.start:
			c.quoted, c.filled, c.start = true, true, false
		case b == '\r' || b == '\t' || b == ' ':
		default:
			c.filled, c.start = true, b == ','
		}
	}
}

// end ends the record that is open, and gives the count.
func (c *rowCounter) end() int64 {
	if c.filled {
		c.rows++
	}
	c.filled = false
	return c.rows
}
