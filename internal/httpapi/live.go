package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// ndjson is one JSON object a line.
const ndjson = "application/x-ndjson"

// liveTest answers with a connection test as it goes. It is a function so that
// the request's context is handed on and not kept.
type liveTest func(w http.ResponseWriter) error

// VisitTestChannelResponse makes it an answer.
func (f liveTest) VisitTestChannelResponse(w http.ResponseWriter) error { return f(w) }

// acceptLines lets Accept choose to see a connection test step by step.
func (h *handlers) acceptLines(next api.StrictHandlerFunc, _ string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		r, ok := request.(api.TestChannelRequestObject)
		if !ok || !prefers(c.Request().Header.Get(echo.HeaderAccept), ndjson) {
			return next(c, request)
		}
		ctx := c.Request().Context()
		return liveTest(func(w http.ResponseWriter) error { return h.testLive(ctx, w, upload.Channel(r.Name)) }), nil
	}
}

// testLive makes the test while it writes. A client that leaves, or does not
// read, ends the test. The answer begins with the first step, so that a channel
// that is not there is a problem like any other.
func (h *handlers) testLive(ctx context.Context, w http.ResponseWriter, name upload.Channel) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var out *stream
	write := func(p api.TestProgress) (err error) {
		if out == nil {
			if out, err = h.streams.open(w, ndjson); err != nil {
				return err
			}
		}
		line, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("encode progress: %w", err)
		}
		return out.write(append(line, '\n'))
	}
	result, err := h.Channels.Test(ctx, name, func(s Step) {
		if write(api.TestProgress{Step: new(viewStep(s))}) != nil {
			cancel()
		}
	})
	if err != nil && out == nil {
		return err
	}
	if err == nil {
		err = write(api.TestProgress{Result: new(viewTest(result))})
	}
	if err != nil { // the answer has begun: that it has no result says that it broke off
		h.Logger.DebugContext(ctx, "connection test broke off", "channel", name, "error", err)
	}
	return nil
}
