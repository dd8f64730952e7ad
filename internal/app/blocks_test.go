package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Whoever was held up is cancelled, or taken on by another replica: no stage here says
// then that it works again.
func TestWhatHeldUpAnUploadEndsWithTheUploadsWaiting(t *testing.T) {
	t.Parallel()
	held := upload.Upload{ID: "a", State: upload.StateDecided, Reason: upload.DiskFull}
	elsewhere, moved := held, held
	elsewhere.Reason, moved.State = upload.LocalFault, upload.StateRetired
	for title, c := range map[string]struct {
		is    upload.Upload
		err   error
		after time.Duration
		want  upload.Reason
	}{
		"it waits still":                  {is: held, after: time.Hour, want: upload.DiskFull},
		"it has moved on":                 {is: moved, after: blockDoubted},
		"it waits for something else":     {is: elsewhere, after: blockDoubted},
		"nobody knows it":                 {err: journal.ErrNotFound, after: blockDoubted},
		"it has moved on a moment ago":    {is: moved, after: blockDoubted / 2, want: upload.DiskFull},
		"the journal does not answer now": {err: errors.New("away"), after: time.Hour, want: upload.DiskFull},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var shown upload.Reason
				b := newBlocks(func(r upload.Reason, _ string) { shown = r })
				b.faulted("retire", held, upload.LocalFaultOf(upload.DiskFull, "", nil))
				<-time.After(c.after) // virtual
				err := b.look(t.Context(), func(context.Context, upload.ID) (upload.Upload, error) { return c.is, c.err })
				if shown != c.want || (err != nil) != (c.err != nil && !errors.Is(c.err, journal.ErrNotFound)) {
					t.Errorf("blocked by %q, want %q; %v", shown, c.want, err)
				}
			})
		})
	}
}
