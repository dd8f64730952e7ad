package app

import (
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// sending keeps how far the present sendings of this process have come.
type sending struct {
	now func() time.Time

	mu   sync.Mutex
	rows map[upload.ID]sent
}

type sent struct {
	began        time.Time
	bytes, total int64
}

func newSending(now func() time.Time) *sending { return &sending{now: now, rows: map[upload.ID]sent{}} }

// note is called as the bytes of u go out.
func (s *sending) note(u upload.Upload, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.rows[u.ID]
	if !ok || bytes < row.bytes { // a new sending
		row = sent{began: s.now(), total: u.PackedSize}
	}
	row.bytes = bytes
	s.rows[u.ID] = row
}

// forget drops an upload whose stage has ended.
func (s *sending) forget(id upload.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, id)
}

// Sending implements httpapi.Progress.
func (s *sending) Sending(id upload.ID) (httpapi.Sending, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.rows[id]
	if !ok {
		return httpapi.Sending{}, false
	}
	p := httpapi.Sending{Sent: row.bytes, Total: row.total}
	if took := s.now().Sub(row.began); took > 0 {
		p.BytesPerSecond = int64(float64(row.bytes) / took.Seconds())
	}
	return p, true
}
