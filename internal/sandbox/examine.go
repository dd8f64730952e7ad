package sandbox

import (
	"io"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Examiner checks a CSV against the interface standards. It must be safe for
// concurrent use.
type Examiner interface {
	// Kind tells the kind of a file by its name; false if the channel takes no such file.
	Kind(ch upload.Channel, filename string) (upload.Kind, bool)
	// Examine reads csv to its end. An error is one of reading; what is wrong
	// with the content is in the result.
	Examine(ch upload.Channel, kind upload.Kind, csv io.Reader) (Examined, error)
}

// Examined is what an Examiner found out. It holds no cell's value.
type Examined struct {
	Rows       int64 // data rows, the header excluded
	RowsFailed int64 // rows with a finding of severity error or worse
	RowsWarned int64 // rows with warnings only
	Charset    string
	Standard   string
	Tally      upload.Tally
	Findings   []upload.Finding // the first ones
}
