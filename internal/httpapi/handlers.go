package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const defaultLimit = 50 // the document's default, where the checker did not fill it in

// handlers implements the generated strict interface.
type handlers struct {
	Options
	streams  *streams
	previews chan struct{} // one token for each further preview
}

var _ api.StrictServerInterface = (*handlers)(nil)

func (h *handlers) view(u upload.Upload) api.Upload { return viewUpload(u, h.Progress) }

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// GetRoot sends to the status.
func (h *handlers) GetRoot(context.Context, api.GetRootRequestObject) (api.GetRootResponseObject, error) {
	return api.GetRoot303Response{Headers: api.GetRoot303ResponseHeaders{Location: orNil("/status")}}, nil
}

// ListUploads gives one page of uploads.
func (h *handlers) ListUploads(ctx context.Context, r api.ListUploadsRequestObject) (api.ListUploadsResponseObject, error) {
	p := r.Params
	f := journal.Filter{
		Filename:    or(p.Filename, ""),
		SpottedFrom: or(p.SpottedAfter, time.Time{}), SpottedTo: or(p.SpottedBefore, time.Time{}),
		States:   each(or(p.State, nil), func(s api.State) upload.State { return upload.State(s) }),
		Verdicts: each(or(p.Verdict, nil), func(v api.Verdict) upload.Verdict { return upload.Verdict(v) }),
	}
	if p.Channel != nil {
		f.Channels = []upload.Channel{upload.Channel(*p.Channel)}
	}
	if p.Kind != nil {
		f.Kinds = []upload.Kind{upload.Kind(*p.Kind)}
	}
	page, err := h.Journal.List(ctx, f, or(p.Cursor, ""), or(p.Limit, defaultLimit))
	if err != nil {
		return nil, err
	}
	return api.ListUploads200JSONResponse{Items: each(page.Uploads, h.view), Next: orNil(page.Next)}, nil
}

// uploadDetail is an upload with its events, flat as the document has it.
type uploadDetail struct {
	api.Upload
	Events []api.Event `json:"events"`
}

// VisitGetUploadResponse makes it an answer.
func (d uploadDetail) VisitGetUploadResponse(w http.ResponseWriter) error {
	return writeJSON(w, http.StatusOK, d)
}

// GetUpload gives one upload with its events.
func (h *handlers) GetUpload(ctx context.Context, r api.GetUploadRequestObject) (api.GetUploadResponseObject, error) {
	u, err := h.Journal.Get(ctx, upload.ID(r.ID))
	if err != nil {
		return nil, err
	}
	events, err := h.Journal.Events(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	return uploadDetail{h.view(u), each(events, viewEvent)}, nil
}

// acted is the answer to an operator's call: the upload as it is now, or why not.
func (h *handlers) acted(ctx context.Context, id string, u upload.Upload, err error) (api.ChangedJSONResponse, error) {
	if errors.Is(err, upload.ErrIllegalTransition) {
		detail := ""
		if u, err := h.Journal.Get(ctx, upload.ID(id)); err == nil {
			detail = strings.TrimSuffix(fmt.Sprintf("the upload is %s, %s", u.State, u.Verdict), ", ")
		}
		return api.ChangedJSONResponse{}, &problem{status: http.StatusConflict, name: "not-possible-now", detail: detail}
	}
	return api.ChangedJSONResponse(h.view(u)), err
}

// RetryUpload has an upload tried again now.
func (h *handlers) RetryUpload(ctx context.Context, r api.RetryUploadRequestObject) (api.RetryUploadResponseObject, error) {
	u, err := h.Operator.Retry(ctx, upload.ID(r.ID))
	v, err := h.acted(ctx, r.ID, u, err)
	if err != nil {
		return nil, err
	}
	return api.RetryUpload200JSONResponse{ChangedJSONResponse: v}, nil
}

// CancelUpload ends an upload.
func (h *handlers) CancelUpload(ctx context.Context, r api.CancelUploadRequestObject) (api.CancelUploadResponseObject, error) {
	u, err := h.Operator.Cancel(ctx, upload.ID(r.ID))
	v, err := h.acted(ctx, r.ID, u, err)
	if err != nil {
		return nil, err
	}
	return api.CancelUpload200JSONResponse{ChangedJSONResponse: v}, nil
}

// RestoreUpload puts an original back.
func (h *handlers) RestoreUpload(ctx context.Context, r api.RestoreUploadRequestObject) (api.RestoreUploadResponseObject, error) {
	as := api.RestoreRequestAsUpload
	if r.Body != nil {
		as = or(r.Body.As, as)
	}
	u, err := h.Operator.Restore(ctx, upload.ID(r.ID), as == api.RestoreRequestAsFile)
	v, err := h.acted(ctx, r.ID, u, err)
	if err != nil {
		return nil, err
	}
	return api.RestoreUpload200JSONResponse{ChangedJSONResponse: v}, nil
}

// TriggerUploads looks into the watched directories now.
func (h *handlers) TriggerUploads(ctx context.Context, r api.TriggerUploadsRequestObject) (api.TriggerUploadsResponseObject, error) {
	b := or(r.Body, api.TriggerRequest{})
	l := Look{Channel: upload.Channel(or(b.Channel, "")), Files: or(b.Files, nil), Force: or(b.Force, false), DryRun: or(b.DryRun, false)}
	looked, err := h.Trigger.Trigger(ctx, l)
	if errors.Is(err, ErrUnknownChannel) { // named in the body, not in the address
		return nil, &problem{status: http.StatusUnprocessableEntity, name: "unknown-channel"}
	}
	if err != nil {
		return nil, err
	}
	return api.TriggerUploads202JSONResponse{DryRun: l.DryRun, Items: each(looked, viewLooked)}, nil
}

// ListChannels gives all channels.
func (h *handlers) ListChannels(ctx context.Context, _ api.ListChannelsRequestObject) (api.ListChannelsResponseObject, error) {
	all, err := h.Channels.List(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListChannels200JSONResponse{Items: each(all, viewChannel)}, nil
}

// TestChannel tests a channel's connection.
func (h *handlers) TestChannel(ctx context.Context, r api.TestChannelRequestObject) (api.TestChannelResponseObject, error) {
	result, err := h.Channels.Test(ctx, upload.Channel(r.Name), func(Step) {})
	if err != nil {
		return nil, err
	}
	return api.TestChannel200JSONResponse(viewTest(result)), nil
}

// PauseChannel stops sending on a channel.
func (h *handlers) PauseChannel(ctx context.Context, r api.PauseChannelRequestObject) (api.PauseChannelResponseObject, error) {
	c, err := h.Channels.Pause(ctx, upload.Channel(r.Name))
	if err != nil {
		return nil, err
	}
	return api.PauseChannel200JSONResponse{ChannelChangedJSONResponse: api.ChannelChangedJSONResponse(viewChannel(c))}, nil
}

// ResumeChannel lets a channel send again.
func (h *handlers) ResumeChannel(ctx context.Context, r api.ResumeChannelRequestObject) (api.ResumeChannelResponseObject, error) {
	c, err := h.Channels.Resume(ctx, upload.Channel(r.Name))
	if err != nil {
		return nil, err
	}
	return api.ResumeChannel200JSONResponse{ChannelChangedJSONResponse: api.ChannelChangedJSONResponse(viewChannel(c))}, nil
}
