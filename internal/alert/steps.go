package alert

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// stepper follows a request step by step.
type stepper struct {
	mu    sync.Mutex
	began time.Time
	steps []Step
}

func (w *stepper) add(name string, ok bool, detail string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.steps = append(w.steps, Step{name, ok, detail, now.Sub(w.began)})
	w.began = now
}

func (w *stepper) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSDone: func(i httptrace.DNSDoneInfo) { w.add("dns", i.Err == nil, "") },
		ConnectDone: func(_, _ string, err error) {
			if err == nil { // of several addresses one may fail
				w.add("tcp", true, "")
			}
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { w.add("tls", err == nil, "") },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			w.add("sent", i.Err == nil, "")
		},
	}
}

// ended gives the steps, with what came of it as the last.
func (w *stepper) ended(err error) []Step {
	w.mu.Lock()
	failed := len(w.steps) > 0 && !w.steps[len(w.steps)-1].OK
	if failed && err != nil {
		w.steps[len(w.steps)-1].Detail = err.Error()
	}
	sent := false
	for _, s := range w.steps {
		sent = sent || s.Name == "sent"
	}
	w.mu.Unlock()
	switch {
	case failed:
	case err == nil:
		w.add("answer", true, "")
	case sent:
		w.add("answer", false, err.Error())
	default:
		w.add("tcp", false, err.Error())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.steps
}
