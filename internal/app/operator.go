package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/retire"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/watch"
)

// errOperator is the cause by which an operator's decision ends a running stage.
var errOperator = errors.New("an operator decided otherwise")

// operator acts on uploads on behalf of a person.
type operator struct{ a *App }

var _ httpapi.Operator = operator{}

// Retry implements httpapi.Operator: a failed upload goes back to where it
// failed, a waiting one loses its pause, about an unresolved one the server is
// asked again.
func (o operator) Retry(ctx context.Context, id upload.ID) (upload.Upload, error) {
	u, err := o.a.journal.Get(ctx, id)
	if err != nil {
		return u, err
	}
	now := o.a.journal.Now()
	switch {
	case u.State.Open() && !u.NextAttemptAt.After(now):
		return u, nil // it is due, or being worked on: taking it away would only delay it
	case u.Verdict == upload.Unresolved && u.Place == upload.InQuarantine:
		return o.Restore(ctx, id, false) // it comes back as an upload that takes over the ticket, and asks before it sends
	case u.Verdict == upload.Unresolved:
		u, err = o.act(ctx, u, upload.AskedAgain())
	default:
		u, err = o.act(ctx, u, upload.Retried())
	}
	if err == nil {
		o.a.pipeline.Wake(u.Channel)
	}
	return u, err
}

// Cancel implements httpapi.Operator. The original stays where it is.
func (o operator) Cancel(ctx context.Context, id upload.ID) (upload.Upload, error) {
	before, err := o.a.journal.Get(ctx, id)
	if err != nil {
		return before, err
	}
	after, err := o.act(ctx, before, upload.Cancelled())
	if err != nil {
		return after, err
	}
	if err := o.a.stages.pack.Remove(after); err != nil {
		o.a.log.Warn("packed copy of a cancelled upload stays until the next start", slog.String("upload_id", string(id)), slog.Any("error", err))
	}
	if err := o.a.recovery.Keep(after, after.UpdatedAt); err != nil {
		o.a.log.Warn("cancelled upload is not in the recovery log", slog.String("upload_id", string(id)), slog.Any("error", err))
	}
	o.a.telemetry.Observer().Ended(ctx, before, after)
	return after, nil
}

// act records an operator's outcome and ends the stage that may be running.
func (o operator) act(ctx context.Context, before upload.Upload, outcome upload.Outcome) (upload.Upload, error) {
	after, err := o.a.journal.Act(ctx, before.ID, outcome, o.a.journal.Now())
	if err != nil {
		return before, err
	}
	o.a.pipeline.Interrupt(before.ID, errOperator)
	o.a.log.Info("operator acted", slog.String("upload_id", string(before.ID)), slog.String("outcome", outcome.Name()),
		slog.String("from", string(before.State)), slog.String("state", string(after.State)))
	return after, nil
}

// Restore implements httpapi.Operator: the original goes back into the watched
// directory, where it is spotted as a new upload, or, as a file only, left alone.
func (o operator) Restore(ctx context.Context, id upload.ID, fileOnly bool) (upload.Upload, error) {
	u, err := o.a.journal.Get(ctx, id)
	if err != nil {
		return u, err
	}
	if u.State != upload.StateRetired || (u.Place != upload.InArchive && u.Place != upload.InQuarantine) {
		return u, fmt.Errorf("%w: there is no original in archive or quarantine", httpapi.ErrNotPossible)
	}
	if fileOnly {
		u, err = o.restoreFile(ctx, u)
	} else {
		_, err = o.a.stages.retire.Restore(ctx, u)
	}
	switch {
	case errors.Is(err, retire.ErrNameTaken):
		return u, fmt.Errorf("%w: a file of that name is in the watched directory", httpapi.ErrNotPossible)
	case errors.Is(err, retire.ErrNotRestorable):
		return u, fmt.Errorf("%w: the original is not there any more", httpapi.ErrNotPossible)
	case err != nil:
		return u, err
	}
	o.a.log.Info("original restored", slog.String("upload_id", string(id)), slog.String("filename", u.Filename), slog.Bool("file_only", fileOnly))
	if l, ok := o.a.lines[u.Channel]; ok {
		l.watcher.Released(u.Filename)
	}
	return u, nil
}

// restoreFile puts a copy of the original back that the watch will know: the
// journal is told of it before it has its name.
func (o operator) restoreFile(ctx context.Context, u upload.Upload) (upload.Upload, error) {
	latest, err := o.a.journal.Latest(ctx, u.Channel, u.Filename)
	if err != nil {
		return u, err
	}
	if latest.ID != u.ID {
		return u, fmt.Errorf("%w: a later upload of that file name exists, %s", httpapi.ErrNotPossible, latest.ID)
	}
	_, err = o.a.stages.retire.RestoreFile(ctx, u, func(copied upload.Identity) error {
		var err error
		u, err = o.act(ctx, u, upload.PutBackAsFile(copied))
		return err
	})
	return u, err
}

// trigger looks into the watched directories at once.
type trigger struct{ a *App }

var _ httpapi.Trigger = trigger{}

// Trigger implements httpapi.Trigger. With force, uploads that wait for their
// next attempt lose their pause, too.
func (t trigger) Trigger(ctx context.Context, look httpapi.Look) ([]httpapi.Looked, error) {
	if _, ok := t.a.lines[look.Channel]; look.Channel != "" && !ok {
		return nil, httpapi.ErrUnknownChannel
	}
	var all []httpapi.Looked
	for _, l := range t.a.ordered() {
		if look.Channel != "" && l.Name != look.Channel {
			continue
		}
		seen, err := l.watcher.Scan(ctx, watch.Request{Files: look.Files, Force: look.Force, DryRun: look.DryRun})
		if err != nil {
			return nil, fmt.Errorf("look into the directory of channel %s: %w", l.Name, err)
		}
		for _, s := range seen {
			all = append(all, httpapi.Looked{
				Channel: l.Name, Filename: s.Filename, Kind: s.Kind, Size: s.Size, Taken: s.Taken, UploadID: s.UploadID, Reason: s.Reason,
			})
			if look.Force && !look.DryRun && s.Reason == upload.InProgress {
				if err := t.a.journal.Touch(ctx, s.UploadID, t.a.journal.Now()); err != nil {
					return nil, err
				}
			}
		}
		t.a.pipeline.Wake(l.Name)
	}
	return all, nil
}

// nudged makes the settle stage look at a file again now.
func (a *App) nudged(ch upload.Channel, filename string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	u, err := a.journal.Latest(ctx, ch, filename)
	if err != nil || u.State != upload.StateSpotted {
		return // the stage's own timer looks, if there is anything to look at
	}
	if a.pipeline.Nudge(u.ID) {
		return
	}
	if err := a.journal.Touch(ctx, u.ID, a.journal.Now()); err == nil {
		a.pipeline.Wake(ch)
	}
}

// opened reports whether the gate for which an upload waits until somebody opens it is
// open.
func (a *App) opened(ctx context.Context, u upload.Upload) bool {
	switch u.Reason {
	case upload.ChannelPaused, upload.CredentialsMissing, upload.CredentialsRefused:
		return a.lines[u.Channel].gate.Ready(ctx) == nil
	default:
		return false
	}
}

// reopened wakes the uploads that waited for a channel.
func (a *App) reopened(ctx context.Context, ch upload.Channel, waiting []upload.Reason) {
	if _, err := a.journal.WakeRetries(ctx, ch, a.journal.Now(), waiting...); err != nil && !errors.Is(err, journal.ErrNotFound) {
		a.log.Warn("waiting uploads were not woken, their own timers will", slog.String("channel", string(ch)), slog.Any("error", err))
	}
	a.pipeline.Wake(ch)
}
