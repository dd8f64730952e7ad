package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// predicted is what `validate` says of a file before anything is sent.
type predicted struct {
	Rows        int64 `json:"rows"`
	RowsInError int64 `json:"rows_in_error"`
}

func predict(t *testing.T, name string, content []byte) (p predicted) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, content, 0o600))
	out, err := exec.CommandContext(t.Context(), binDir+"/hqms-sidecar", "validate", "-format", "json", "-block-on", "never", path).Output()
	check(t, err)
	check(t, json.Unmarshal(out, &p))
	return p
}

// What the sidecar foretells of a file is what the server does with it: files of
// every kind, with no bad row, some, and nothing else, sent although they have
// findings.
func TestPredictionAgreesWithTheServersVerdict(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv, "FLU_BLOCK_ON=never")
	r.start()
	const rows = 6
	for _, kind := range []upload.Kind{"flu", "hqms", "hda", "hdr", "pdr", "lis"} {
		for bad, verdict := range map[int]string{0: "accepted", 2: "partially_accepted", rows: "rejected"} {
			name := fmt.Sprintf("%s_%d.csv", kind, bad)
			content := fileOf(t, kind, rows, bad)
			foretold := predict(t, name, content)
			if foretold.Rows != rows || foretold.RowsInError != int64(bad) {
				t.Errorf("%s: foretold %+v, made with %d bad rows of %d", name, foretold, bad, rows)
			}
			drop(t, r.flu, name, content)
			u := r.endsWith(name, verdict)
			var full struct {
				Receipt struct {
					Grades struct{ Stocked, Total int64 }
				}
			}
			r.call("GET", "/uploads/"+u.ID, nil, &full)
			if g := full.Receipt.Grades; g.Total != foretold.Rows || g.Stocked != foretold.Rows-foretold.RowsInError {
				t.Errorf("%s: the server stored %d of %d, foretold %d of %d", name, g.Stocked, g.Total, foretold.Rows-foretold.RowsInError, foretold.Rows)
			}
		}
	}
}
