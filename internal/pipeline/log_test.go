package pipeline

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestABadEndIsAWarningAndAGoodOneIsNot(t *testing.T) {
	t.Parallel()
	for verdict, level := range map[upload.Verdict]string{
		upload.Accepted: "INFO", upload.Duplicate: "INFO",
		upload.PartiallyAccepted: "WARN", upload.Rejected: "WARN", upload.Unresolved: "WARN",
	} {
		var log bytes.Buffer
		u := spotted("a")
		u.State = upload.StateSent
		p := build(newMemory(u), []Stage{{Name: "confirm", From: upload.StateSent, Crew: Light, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
			return upload.Decided(verdict, "", nil), nil
		}}}, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		if worked, err := p.RunOnce(t.Context(), upload.Flu, Light); !worked || err != nil {
			t.Fatalf("worked %v, error %v", worked, err)
		}
		if !strings.Contains(log.String(), "level="+level+" msg=\"upload moved on\"") {
			t.Errorf("%s: %s", verdict, &log)
		}
	}
}
