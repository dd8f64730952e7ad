package sandbox

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Standards is the Examiner that knows the interface standards.
type Standards struct{}

// NewStandards loads the embedded standards.
func NewStandards(func() time.Time) (*Standards, error) { return &Standards{}, nil }

// Kind implements Examiner.
func (*Standards) Kind(_ upload.Channel, filename string) (upload.Kind, bool) {
	kind, _, ok := strings.Cut(strings.ToLower(filename), "_")
	return upload.Kind(kind), ok && strings.HasSuffix(strings.ToLower(filename), ".csv")
}

// Examine implements Examiner.
func (*Standards) Examine(_ upload.Channel, _ upload.Kind, csv io.Reader) (Examined, error) {
	var n int64
	buf := make([]byte, 32<<10)
	for {
		k, err := csv.Read(buf)
		n += int64(bytes.Count(buf[:k], []byte{'\n'}))
		if err == io.EOF {
			return Examined{Rows: max(0, n-1)}, nil
		}
		if err != nil {
			return Examined{}, err
		}
	}
}

func findingText(f upload.Finding) string { return f.Rule }
