package pipeline

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestAStepTakenByAnotherHandIsToldOfAndGoneOnWith(t *testing.T) {
	t.Parallel()
	u := spotted("a")
	u.State = upload.StateSettled
	reached := make(chan upload.ID, 1)
	var log bytes.Buffer
	var told []string
	p := build(newMemory(u), []Stage{
		{Name: "settle", From: upload.StateSpotted, Crew: Light, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
			t.Error("the stage ran")
			return upload.Settled(upload.Identity{}), nil
		}},
		{Name: "validate", From: upload.StateSettled, Crew: Heavy, Run: func(_ context.Context, u upload.Upload) (upload.Outcome, error) {
			reached <- u.ID
			return upload.Superseded(), nil
		}},
	}, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Recorded = func(stage string, before, after upload.Upload) {
			told = append(told, stage+": "+string(before.State)+" "+string(after.State))
		}
	})
	before := u
	before.State = upload.StateSpotted
	p.Passed(before, u, upload.Settled(upload.Identity{}))
	if len(told) != 1 || told[0] != "settle: spotted settled" {
		t.Errorf("told %q", told)
	}
	if !strings.Contains(log.String(), `msg="upload moved on"`) || !strings.Contains(log.String(), "stage=settle") {
		t.Errorf("logged %s", &log)
	}
	for kind, want := range map[Crew]int{Light: 0, Heavy: 1} {
		if n := len(p.crews[crewKey{upload.Flu, kind}].look); n != want {
			t.Errorf("crew %d was called %d times, want %d", kind, n, want)
		}
	}
	if worked, err := p.RunOnce(t.Context(), upload.Flu, Heavy); !worked || err != nil || <-reached != u.ID {
		t.Errorf("worked %v, error %v", worked, err)
	}
}
