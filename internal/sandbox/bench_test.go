package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// BenchmarkDelivery is the way of a small file: a token, the upload, the check, the
// result, without the network.
func BenchmarkDelivery(b *testing.B) {
	s, err := New(Options{AcceptDuplicates: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	lib, err := standard.Load(nil)
	if err != nil {
		b.Fatal(err)
	}
	var csv bytes.Buffer
	if err := synthetic.File(&csv, synthetic.Options{Library: lib, Channel: upload.Flu, Kind: "flu", Rows: 20, Charset: "gb18030"}); err != nil {
		b.Fatal(err)
	}
	parcel := zipOf(b, "flu_20260101.csv", csv.String())
	b.ReportAllocs()
	for b.Loop() {
		deliver(b, s, parcel)
	}
}

func deliver(b *testing.B, s *Server, parcel []byte) {
	b.Helper()
	ask := func(method, target string, body []byte, result any) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, "/flu"+target, bytes.NewReader(body)))
		if err := json.Unmarshal(w.Body.Bytes(), &struct{ Result any }{result}); err != nil {
			b.Fatal(err)
		}
	}
	var got struct{ Token string }
	ask(http.MethodGet, login("demo", "demo"), nil, &got)
	ask(http.MethodPost, pathUpload+"?datatype=json&token="+got.Token, parcel, &struct{}{})
	s.awaitLast()
	var end resultBody
	if ask(http.MethodGet, pathResult+"?datatype=json&token="+got.Token, nil, &end); end.Status != Done {
		b.Fatalf("status %d: %s", end.Status, end.ErrorMsg)
	}
}

// awaitLast waits for the verdict of what came last, and copies nothing.
func (s *Server) awaitLast() {
	for {
		s.ledger.mu.Lock()
		last, changed := s.ledger.deliveries[len(s.ledger.deliveries)-1].Status, s.ledger.changed
		s.ledger.mu.Unlock()
		if last.Final() {
			return
		}
		<-changed
	}
}
