package synthetic_test

import (
	"bytes"
	"encoding/csv"
	"testing"
	"unicode/utf8"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func options(t *testing.T) synthetic.Options {
	t.Helper()
	lib, err := standard.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return synthetic.Options{Library: lib, Channel: upload.Flu, Kind: "flu", Rows: 10, Seed: 7}
}

func write(t *testing.T, o synthetic.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := synthetic.File(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheSameSeedGivesTheSameFile(t *testing.T) {
	t.Parallel()
	o := options(t)
	one := write(t, o)
	if !bytes.Equal(one, write(t, o)) {
		t.Error("two files of one seed differ")
	}
	o.Seed++
	if bytes.Equal(one, write(t, o)) {
		t.Error("another seed gives the same file")
	}
}

func TestFilesHaveTheRowsAndTheCharsetAskedFor(t *testing.T) {
	t.Parallel()
	o := options(t)
	rows, err := csv.NewReader(bytes.NewReader(write(t, o))).ReadAll()
	if err != nil || len(rows) != 11 || len(rows[0]) != 61 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	o.Charset = "gb18030"
	if utf8.Valid(write(t, o)) {
		t.Error("a file in GB18030 is UTF-8")
	}
}

func TestAKindThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Kind = "mea"
	if err := synthetic.File(&bytes.Buffer{}, o); err == nil {
		t.Error("no error")
	}
}
