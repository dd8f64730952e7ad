package httpapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// away takes an answer and forgets it.
type away struct{ header http.Header }

func (a away) Header() http.Header              { return a.header }
func (a away) Write(b []byte) (int, error)      { return len(b), nil }
func (a away) WriteHeader(int)                  {}
func (a away) Flush()                           {}
func (a away) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkEvents tells a stream of twenty events at a time, as they gather while
// many small files are at work.
func BenchmarkEvents(b *testing.B) {
	events := make([]upload.Event, 20)
	for i := range events {
		events[i] = upload.Event{
			Seq: 1_234_500 + int64(i), UploadID: "0190b3c4-0000-7000-8000-00000000000a", Channel: upload.Flu, At: time.Now().UTC(),
			Name: "validated", From: upload.StateSettled, To: upload.StateValidated,
		}
		if i%7 == 0 {
			events[i].Name, events[i].Verdict, events[i].Reason = "decided", upload.Accepted, upload.SameContentInFlight
		}
	}
	out, err := (&streams{stall: time.Second}).open(away{http.Header{}}, "text/event-stream")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := out.send(events, func(upload.Event) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
}
