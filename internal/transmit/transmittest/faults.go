package transmittest

import (
	"net/http"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// row is one fault of the table: what it must lead to at each step. An empty
// expectation: the fault makes no sense there.
type row struct {
	name                     string
	fault                    Fault
	size                     int  // of the body; 0: small
	slow                     bool // it ends by the watchdog
	admission, sent, inquiry expectation
}

func table() []row {
	rows := []row{
		ends(both("silence", Silence(), upload.ServerTimeout, upload.Maybe)),
		ends(both("slow loris", SlowLoris(20*time.Millisecond), upload.ServerTimeout, upload.Maybe)),
		both("a web page", Status(http.StatusOK), upload.ServerUnreadable, upload.Maybe),
		both("JSON cut short", Answer(`{"succ": true, "result": {"tok`), upload.ServerUnreadable, upload.Maybe),
		both("JSON of another kind", Answer(`["`+Words+`"]`), upload.ServerUnreadable, upload.Maybe),
		both("a huge answer", Huge(), upload.ServerUnreadable, upload.Maybe),
		both("an answer cut short", CutAnswer(), upload.ServerUnreadable, upload.Maybe),
		{
			name: "a reset before the answer", fault: Reset(small), sent: expectation{reason: upload.AnswerLost, fate: upload.Maybe},
			admission: expectation{reason: upload.ServerUnreachable}, inquiry: expectation{reason: upload.ServerUnreachable},
		},
		{
			name: "a lost answer", fault: LostAnswer(), sent: expectation{reason: upload.AnswerLost, fate: upload.Maybe},
			admission: expectation{reason: upload.ServerUnreachable}, inquiry: expectation{reason: upload.ServerUnreachable},
		},
		{
			name: "a reset in the body", fault: Reset(100_000), size: large,
			sent: expectation{reason: upload.UploadBroken, fate: upload.Broken},
		},
		{
			name: "a server that stops taking", fault: Deaf(100_000), size: large, slow: true,
			sent: expectation{reason: upload.ServerTimeout, fate: upload.Broken},
		},
	}
	for _, code := range []int{500, 502, 503, 504} {
		rows = append(rows, both(http.StatusText(code), Status(code), upload.ServerError, upload.Maybe))
	}
	for _, code := range []int{408, 425, 429} {
		rows = append(rows, both(http.StatusText(code), Status(code), upload.ServerBusy, upload.Broken))
	}
	rows = append(
		rows,
		waits(both("busy for 7 seconds", Status(429, "Retry-After", "7"), upload.ServerBusy, upload.Broken), 7*time.Second),
		waits(both("away for 90 seconds", Status(503, "Retry-After", "90"), upload.ServerBusy, upload.Maybe), 90*time.Second),
		waits(both("away until a date", Status(503, "Retry-After", "Mon, 23 Nov 2026 10:02:00 GMT", "Date",
			"Mon, 23 Nov 2026 10:00:00 GMT"), upload.ServerBusy, upload.Maybe), 2*time.Minute),
		both("404", Status(404), upload.ServerMisconfigured, upload.Broken),
		both("405", Status(405), upload.ServerMisconfigured, upload.Broken),
	)
	for _, code := range []int{401, 403} {
		r := both(http.StatusText(code), Status(code), upload.ServerMisconfigured, upload.Broken)
		r.admission = expectation{reason: upload.CredentialsRefused, class: upload.Refused}
		rows = append(rows, r)
	}
	return rows
}

// both is a row with one reason at each step.
func both(name string, f Fault, r upload.Reason, fate upload.Fate) row {
	return row{
		name: name, fault: f, admission: expectation{reason: r}, inquiry: expectation{reason: r},
		sent: expectation{reason: r, fate: fate},
	}
}

func ends(r row) row {
	r.slow = true
	return r
}

func waits(r row, wish time.Duration) row {
	r.admission.wish, r.sent.wish, r.inquiry.wish = wish, wish, wish
	return r
}

func faults(t *testing.T, setup Setup) {
	for _, r := range table() {
		for step, want := range map[Step]expectation{Admission: r.admission, Upload: r.sent, Question: r.inquiry} {
			if want.reason == "" {
				continue
			}
			t.Run(r.name+" at "+string(step), func(t *testing.T) {
				t.Parallel()
				patience := plenty()
				if r.slow {
					patience = brief()
				}
				b := newBenchWith(t, setup, false, patience)
				ticket := b.admit(t)
				b.server.Break(step, r.fault)
				b.expect(t, step, ticket, max(r.size, small), want)
			})
		}
	}
	for _, code := range []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType} {
		t.Run(http.StatusText(code)+" refuses the upload", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, setup, false)
			ticket := b.admit(t)
			b.server.Break(Upload, Status(code))
			x, err := b.client.Send(t.Context(), delivery(), ticket, body(content(small)), nil)
			if err != nil || x.Refused == nil || x.Cause != nil || x.Doubtful {
				t.Errorf("want a refusal: %+v, %v", x, err)
			}
		})
	}
}
