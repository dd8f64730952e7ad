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
	channel      upload.Channel
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
		row = sent{channel: u.Channel, began: s.now(), total: u.PackedSize}
	}
	row.bytes = bytes
	s.rows[u.ID] = row
}

// forget drops an upload whose stage has ended. It gives what was sent of it and
// in which time; nothing if it was not sent.
func (s *sending) forget(id upload.ID) (bytes int64, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.rows[id]
	if !ok {
		return 0, 0
	}
	delete(s.rows, id)
	return row.bytes, s.now().Sub(row.began)
}

// ahead is how many bytes are still to be sent of what is being sent.
func (s *sending) ahead(ch upload.Channel) (bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range s.rows {
		if row.channel == ch {
			bytes += row.total - row.bytes
		}
	}
	return bytes
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
