package recovery

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// deliveredUpload is one with a value in each kind of field, some of them hard to read.
func deliveredUpload() upload.Upload {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	return upload.Upload{
		ID: upload.NewID(at), Channel: upload.Flu, Filename: "flu_{\"门诊\\,:}].csv", State: upload.StateDecided, Verdict: upload.Rejected,
		Digest: "sha-256:0", TraceID: "0123", Source: upload.Identity{Inode: 7, Size: 8}, Rows: 20, SpottedAt: at, UpdatedAt: at, SentAt: at,
		Ticket:  upload.Ticket{Token: `a"},{"b`, IssuedAt: at},
		Receipt: &upload.Receipt{Status: "4", Message: "\\\"}]{[,<&>", Grades: &upload.Grades{Below: 1}, At: at}, Findings: upload.Tally{Error: 2},
	}
}

func TestALineHoldsTheFieldsThatAreNotEmpty(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]upload.Upload{"full": deliveredUpload(), "the last field, too": {ID: "x", Fence: 3, RootSpanID: "y"}} {
		whole, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]any
		if err := json.Unmarshal(whole, &want); err != nil {
			t.Fatal(err)
		}
		delete(want, "Fence")
		for field, v := range want {
			if empty(v) {
				delete(want, field)
			}
		}
		line, err := lineFor(u)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%s: %v in %s", name, err, line)
		}
		delete(got, "sum")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// empty reports whether a JSON value says nothing, nor anything within it.
func empty(v any) bool {
	if object, ok := v.(map[string]any); ok {
		for _, v := range object {
			if !empty(v) {
				return false
			}
		}
		return true
	}
	return v == nil || v == "" || v == 0.0 || v == false || v == "0001-01-01T00:00:00Z"
}

func TestALineIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	u := deliveredUpload()
	line, err := lineFor(u)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(u, got); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkEncode(b *testing.B) {
	u := deliveredUpload()
	var line bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		line.Reset()
		if err := encode(&line, u); err != nil {
			b.Fatal(err)
		}
	}
}

func lineFor(u upload.Upload) ([]byte, error) {
	var b bytes.Buffer
	err := encode(&b, u)
	return b.Bytes(), err
}

// BenchmarkKeep is a line's whole way to the disk.
func BenchmarkKeep(b *testing.B) {
	dir, err := durable.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	l, u := Open(dir), deliveredUpload()
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Keep(u, u.UpdatedAt); err != nil {
			b.Fatal(err)
		}
	}
}
