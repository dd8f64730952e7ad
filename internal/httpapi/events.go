package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	maxStreams = 128
	eventPage  = 100
)

// streams holds what all event streams share.
type streams struct {
	free    chan struct{} // one token for each further stream
	closing chan struct{} // closed when the server stops
	beat    time.Duration // between comments while nothing happens
	poll    time.Duration // between looks when nobody tells of a change
	stall   time.Duration // a client that has not taken what it was sent by then is dropped
}

// eventStream answers with an endless body. It is a function so that the
// request's context is handed on and not kept.
type eventStream func(w http.ResponseWriter) error

// VisitStreamEventsResponse makes it an answer.
func (f eventStream) VisitStreamEventsResponse(w http.ResponseWriter) error { return f(w) }

// StreamEvents streams what happens.
func (h *handlers) StreamEvents(ctx context.Context, r api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	after := r.Params.LastEventID
	if after == nil {
		after = r.Params.After
	}
	newest, err := h.Feed.LastEvent(ctx)
	if err != nil {
		return nil, err
	}
	from := min(or(after, newest), newest) // a higher one is from an older journal
	wanted := func(e upload.Event) bool {
		return or(r.Params.Channel, string(e.Channel)) == string(e.Channel) && or(r.Params.UploadID, string(e.UploadID)) == string(e.UploadID)
	}
	return eventStream(func(w http.ResponseWriter) error {
		select {
		case h.streams.free <- struct{}{}:
			defer func() { <-h.streams.free }()
		default:
			return &problem{status: http.StatusTooManyRequests, name: "too-many-requests", detail: "too many event streams", retryAfter: time.Minute}
		}
		out, err := h.streams.open(w, "text/event-stream")
		if err != nil {
			return err
		}
		err = h.follow(ctx, out, from, wanted)
		h.Logger.DebugContext(ctx, "event stream ended", "error", err)
		return nil // the answer has begun; there is nobody to tell
	}), nil
}

// eventGather is how long events gather before they are told: nobody sees the
// difference, and the journal is asked less often.
const eventGather = 20 * time.Millisecond

// follow writes until the client leaves, the server stops, or the journal fails:
// then the client comes back with Last-Event-ID. At most one page of events is
// held; the next is read when the connection has taken this one.
func (h *handlers) follow(ctx context.Context, out *stream, after int64, wanted func(upload.Event) bool) error {
	beat, poll := time.NewTicker(h.streams.beat), time.NewTicker(h.streams.poll)
	defer beat.Stop()
	defer poll.Stop()
	changed := h.Feed.Subscribe(ctx) // before the first look, so that no change falls in between
	if err := out.write([]byte("retry: 2000\n\n")); err != nil {
		return err
	}
	for {
		events, err := h.Feed.EventsAfter(ctx, after, eventPage)
		if err != nil {
			return err
		}
		if len(events) > 0 {
			after = events[len(events)-1].Seq
			if err := out.send(events, wanted); err != nil {
				return err
			}
		}
		if len(events) == eventPage {
			continue
		}
		if ended, err := h.await(ctx, out, beat.C, poll.C, changed); ended || err != nil {
			return err
		}
	}
}

// await returns when it is worth looking for events, and meanwhile keeps the
// connection alive.
func (h *handlers) await(ctx context.Context, out *stream, beat, poll <-chan time.Time, changed <-chan struct{}) (ended bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case <-h.streams.closing:
			return true, nil
		case <-beat:
			if err := out.write([]byte(": still here\n\n")); err != nil {
				return true, err
			}
		case <-changed:
			select { // what comes together is read together
			case <-ctx.Done():
				return true, ctx.Err()
			case <-time.After(eventGather):
			}
			return false, nil
		case <-poll:
			return false, nil
		}
	}
}

// stream is an answer that is written bit by bit, each write under its own
// deadline.
type stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	stall time.Duration
	page  bytes.Buffer // of events, kept for the next
}

// open begins an answer that is written bit by bit.
func (s *streams) open(w http.ResponseWriter, contentType string) (*stream, error) {
	out := &stream{w: w, rc: http.NewResponseController(w), stall: s.stall}
	if err := out.allow(); err != nil { // without a deadline nothing would bound a client that does not read
		return nil, err
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Accel-Buffering", "no") // a proxy is not to hold events back
	w.WriteHeader(http.StatusOK)
	return out, nil
}

// send writes the events that are wanted, all at once.
func (s *stream) send(events []upload.Event, wanted func(upload.Event) bool) error {
	s.page.Reset()
	data, view := json.NewEncoder(&s.page), api.Event{} // the encoder ends the line
	for _, e := range events {
		if !wanted(e) {
			continue
		}
		s.page.WriteString("id: ")
		s.page.Write(strconv.AppendInt(s.page.AvailableBuffer(), e.Seq, 10))
		s.page.WriteString("\nevent: upload\ndata: ")
		view = viewEvent(e)
		if err := data.Encode(&view); err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		s.page.WriteByte('\n')
	}
	if s.page.Len() == 0 {
		return nil
	}
	return s.write(s.page.Bytes())
}

// allow gives the client its time to take what is written next.
func (s *stream) allow() error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.stall)); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	return nil
}

func (s *stream) write(text []byte) error {
	if err := s.allow(); err != nil {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return fmt.Errorf("write stream: %w", err)
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("flush stream: %w", err)
	}
	return nil
}
