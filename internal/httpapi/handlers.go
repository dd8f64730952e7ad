package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const defaultLimit = 50 // the document's default, where the checker did not fill it in

// handlers implements the generated strict interface.
type handlers struct {
	Options
	streams *streams
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
	f := Filter{
		Channel: upload.Channel(or(p.Channel, "")), Kind: upload.Kind(or(p.Kind, "")), Filename: or(p.Filename, ""),
		SpottedAfter: or(p.SpottedAfter, time.Time{}), SpottedBefore: or(p.SpottedBefore, time.Time{}),
	}
	for _, s := range or(p.State, nil) {
		f.States = append(f.States, upload.State(s))
	}
	for _, v := range or(p.Verdict, nil) {
		f.Verdicts = append(f.Verdicts, upload.Verdict(v))
	}
	all, next, err := h.Journal.List(ctx, f, or(p.Cursor, ""), or(p.Limit, defaultLimit))
	if err != nil {
		return nil, err
	}
	return api.ListUploads200JSONResponse{Items: each(all, h.view), Next: orNil(next)}, nil
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

// RetryUpload has an upload tried again now.
func (h *handlers) RetryUpload(ctx context.Context, r api.RetryUploadRequestObject) (api.RetryUploadResponseObject, error) {
	u, err := h.Operator.Retry(ctx, upload.ID(r.ID))
	if err != nil {
		return nil, err
	}
	return api.RetryUpload200JSONResponse{ChangedJSONResponse: api.ChangedJSONResponse(h.view(u))}, nil
}

// CancelUpload ends an upload.
func (h *handlers) CancelUpload(ctx context.Context, r api.CancelUploadRequestObject) (api.CancelUploadResponseObject, error) {
	u, err := h.Operator.Cancel(ctx, upload.ID(r.ID))
	if err != nil {
		return nil, err
	}
	return api.CancelUpload200JSONResponse{ChangedJSONResponse: api.ChangedJSONResponse(h.view(u))}, nil
}

// RestoreUpload puts an original back.
func (h *handlers) RestoreUpload(ctx context.Context, r api.RestoreUploadRequestObject) (api.RestoreUploadResponseObject, error) {
	u, err := h.Operator.Restore(ctx, upload.ID(r.ID))
	if err != nil {
		return nil, err
	}
	return api.RestoreUpload200JSONResponse{ChangedJSONResponse: api.ChangedJSONResponse(h.view(u))}, nil
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
	result, err := h.Channels.Test(ctx, upload.Channel(r.Name))
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
