package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
)

// adminRoutes serves what is not the protocol: the page, the health, and the
// admin API under /sandbox/.
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"GET /{$}", "GET /flu/{$}", "GET /hqms/{$}"} {
		mux.HandleFunc(path, s.page)
	}
	mux.HandleFunc("GET /sandbox/page.css", pageStyle)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	admin := map[string]http.HandlerFunc{
		"GET /sandbox/arrivals":       s.listArrivals,
		"DELETE /sandbox/arrivals":    s.resetArrivals,
		"GET /sandbox/arrivals/{id}":  s.showArrival,
		"GET /sandbox/faults":         s.listFaults,
		"POST /sandbox/faults":        s.setFault,
		"DELETE /sandbox/faults":      s.clearFaults,
		"DELETE /sandbox/faults/{id}": s.clearFaults,
		"POST /sandbox/pause":         s.setPaused(true),
		"POST /sandbox/resume":        s.setPaused(false),
	}
	for pattern, handler := range admin {
		mux.Handle(pattern, s.guarded(handler))
	}
	return mux
}

// guarded asks for the admin token where one is set.
func (s *Server) guarded(next http.Handler) http.Handler {
	want := "Bearer " + s.opts.AdminToken
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.opts.AdminToken != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem(w, http.StatusUnauthorized, "the admin token is missing or wrong")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, "cannot encode", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}

// problem answers with an RFC 9457 problem.
func problem(w http.ResponseWriter, code int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": detail})
}

func (s *Server) listArrivals(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Report())
}

func (s *Server) showArrival(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if a, ok := s.arrival(id); ok && err == nil {
		s.showOne(w, r, a)
		return
	}
	problem(w, http.StatusNotFound, "no such delivery")
}

func (s *Server) arrival(id int64) (Arrival, bool) {
	for _, a := range s.Arrivals() {
		if a.ID == id {
			return a, true
		}
	}
	return Arrival{}, false
}

func (s *Server) resetArrivals(w http.ResponseWriter, _ *http.Request) {
	if err := s.Reset(); err != nil {
		s.opts.Logger.Error("cannot reset", "error", err)
		problem(w, http.StatusServiceUnavailable, "the state cannot be written")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) listFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"items": s.Faults(), "kinds": FaultKinds()})
}

func (s *Server) setFault(w http.ResponseWriter, r *http.Request) {
	// A page of another origin cannot send this type without asking first.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		problem(w, http.StatusUnsupportedMediaType, "send application/json")
		return
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	var f Fault
	if err := errors.Join(dec.Decode(&f), f.check()); err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, s.faults.add(f))
}

func (s *Server) clearFaults(w http.ResponseWriter, r *http.Request) {
	var id int64
	if text := r.PathValue("id"); text != "" {
		var err error
		if id, err = strconv.ParseInt(text, 10, 64); err != nil || id <= 0 {
			problem(w, http.StatusNotFound, "no such fault")
			return
		}
	}
	if s.faults.remove(id) == 0 && id != 0 {
		problem(w, http.StatusNotFound, "no such fault")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) setPaused(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s.pause(on)
		w.WriteHeader(http.StatusNoContent)
	}
}
