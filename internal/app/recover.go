package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/recovery"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// suspectName marks a journal that was found damaged while it was in use: the
// next start reads it whole.
const suspectName = "journal.suspect"

// The notes about a rebuilt journal, kept in itself.
const (
	metaRebuild   = "rebuild"         // begun, done; none: never
	metaRebuiltAt = "rebuilt_at"      // RFC 3339
	metaSetAside  = "rebuilt_damaged" // what the damaged journal is called now; may be empty

	rebuildBegun = "begun"
	rebuildDone  = "done"
)

// openSQLite opens the journal in the state directory. A damaged one is set
// aside, and a new one begun.
func (a *App) openSQLite(ctx context.Context) error {
	if err := a.openRecovery(); err != nil {
		return err
	}
	j, err := a.trySQLite(ctx)
	if errors.Is(err, journal.ErrDamaged) {
		aside, asideErr := sqlite.SetAside(a.cfg.StateDir, a.now())
		if asideErr != nil {
			return errors.Join(err, asideErr)
		}
		a.log.Error("JOURNAL IS DAMAGED: it is set aside and made anew from the recovery log and the directories",
			slog.String("set_aside", aside), slog.Any("error", err))
		a.setAside, a.trouble = aside, newTrouble()
		j, err = a.trySQLite(ctx)
	}
	if err != nil {
		return err
	}
	a.journal = j
	a.life.onStop("journal", func(context.Context) error { return j.Close() })
	if err := a.state.Remove(suspectName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("mark of a damaged journal stays", slog.Any("error", err))
	}
	return nil
}

func (a *App) openRecovery() error {
	path := filepath.Join(a.cfg.StateDir, recovery.DirName)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make recovery log: %w", err)
	}
	dir, err := durable.Open(path, a.hooked()...)
	if err != nil {
		return fmt.Errorf("open recovery log: %w", err)
	}
	log := recovery.Open(dir)
	a.recovery = log
	a.life.onStop("recovery log", func(context.Context) error { return errors.Join(log.Close(), dir.Close()) })
	return nil
}

// trySQLite opens the journal, whole as far as can be told.
func (a *App) trySQLite(ctx context.Context) (*journal.Journal, error) {
	j, err := sqlite.Open(ctx, a.cfg.StateDir, journal.Options{Hook: a.seams.Journal, Failed: a.trouble.failed, Now: a.now})
	if err != nil {
		return nil, err
	}
	if _, missing := a.state.Look(suspectName); missing == nil {
		err = j.Verify(ctx)
	}
	if err == nil {
		err = a.forgetLeases(ctx, j)
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// forgetLeases frees what an earlier process had claimed: we hold the lock, so
// it is dead. Where the disk is full the leases run out by themselves: that is
// no reason not to start, and to be there to say that the disk is full.
func (a *App) forgetLeases(ctx context.Context, j *journal.Journal) error {
	err := j.ForgetLeases(ctx)
	if f, ok := errors.AsType[*upload.Fault](err); ok && f.Reason == upload.DiskFull {
		a.log.Warn("disk is full: what an earlier process had claimed waits until its leases run out", slog.Any("error", err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("free what an earlier process had claimed: %w", err)
	}
	return nil
}

// bringJournalUp recovers the journal once there is space for it: before it is
// up to date nothing may be sent, and a full disk does not end the program.
func (a *App) bringJournalUp(ctx context.Context) error {
	return onceThereIsSpace(ctx, a.log, a.recoverJournal)
}

// spacePause is how long is waited before a full disk is tried again.
const spacePause = time.Second

// onceThereIsSpace does it again and again while the disk is full, until ctx ends.
func onceThereIsSpace(ctx context.Context, log *slog.Logger, do func(context.Context) error) error {
	return whilst(ctx, ctx, upload.DiskFull, spacePause, do, func(err error) {
		log.Error("DISK IS FULL: the journal cannot be brought up to date; nothing begins before there is space", slog.Any("error", err))
	})
}

// whilst does it again and again while it fails for the reason given, until
// waiting ends; the first time it tells.
func whilst(ctx, waiting context.Context, reason upload.Reason, pause time.Duration, do func(context.Context) error, tell func(error)) error {
	for told := false; ; told = true {
		err := do(ctx)
		if f, ok := errors.AsType[*upload.Fault](err); !ok || f.Reason != reason {
			return err
		}
		if !told {
			tell(err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-waiting.Done():
			timer.Stop()
			return err
		}
	}
}

// recoverJournal brings back what the journal lost.
func (a *App) recoverJournal(ctx context.Context) error {
	if a.recovery == nil {
		return nil // the journal is not in the state directory
	}
	empty, err := a.journal.Empty(ctx)
	if err != nil {
		return err
	}
	state, err := a.journal.Meta(ctx, metaRebuild)
	if err != nil {
		return err
	}
	if empty || state == rebuildBegun {
		return a.rebuild(ctx)
	}
	if err := a.restorePauses(ctx); err != nil {
		return err
	}
	now := a.journal.Now()
	n, err := recovery.CatchUp(ctx, lost{a.journal}, a.recovery, now.Add(-a.cfg.JournalRetention), now)
	if n > 0 {
		a.log.Warn("journal was behind its recovery log (a crash, an older copy, or lost changes): rows brought up to date", slog.Int("rows", n))
	}
	return err
}

func (a *App) rebuild(ctx context.Context) error {
	if err := a.journal.SetMeta(ctx, metaRebuild, rebuildBegun); err != nil {
		return err
	}
	watched := map[upload.Channel]*durable.Dir{}
	for name, l := range a.lines {
		watched[name] = l.dir
	}
	began := a.now()
	done, err := recovery.Rebuild(ctx, lost{a.journal}, recovery.Sources{
		Log: a.recovery, State: a.state, Watch: watched, Kinds: a.standards.Kind, Logger: a.log, Now: a.journal.Now,
	})
	if err != nil {
		return err
	}
	if done != (recovery.Rebuilt{}) || a.setAside != "" {
		a.log.Error("JOURNAL REBUILT: it was damaged or lost; findings and earlier events are not brought back",
			slog.Int("from_log", done.FromLog), slog.Int("stored_originals", done.Stored), slog.Int("unfinished", done.Unfinished),
			slog.Int("given_a_name", done.Recovered), slog.Int("unreadable", done.Unreadable),
			slog.Duration("took", a.now().Sub(began)), slog.String("set_aside", a.setAside))
		if err := errors.Join(a.journal.SetMeta(ctx, metaRebuiltAt, a.now().UTC().Format(time.RFC3339)),
			a.journal.SetMeta(ctx, metaSetAside, a.setAside)); err != nil {
			return err
		}
	}
	if err := a.restorePauses(ctx); err != nil {
		return err
	}
	return a.journal.SetMeta(ctx, metaRebuild, rebuildDone)
}

// rebuiltAt is when the journal was last made anew, and what the damaged one is
// called now; the zero time: never.
func (a *App) rebuiltAt(ctx context.Context) (time.Time, string) {
	text, err := a.journal.Meta(ctx, metaRebuiltAt)
	if err != nil {
		return time.Time{}, ""
	}
	at, _ := time.Parse(time.RFC3339, text) // none is the zero time
	aside, _ := a.journal.Meta(ctx, metaSetAside)
	return at, aside
}

// lost is the journal as it is brought back.
type lost struct{ j *journal.Journal }

var _ recovery.Ledger = lost{}

// Readmit implements recovery.Ledger.
func (l lost) Readmit(ctx context.Context, all []upload.Upload, now time.Time) (int, error) {
	return l.j.Readmit(ctx, all, now)
}

// Find implements recovery.Ledger.
func (l lost) Find(ctx context.Context, id upload.ID) (upload.Upload, bool, error) {
	return shelves(l).Find(ctx, id)
}

// Latest implements recovery.Ledger.
func (l lost) Latest(ctx context.Context, ch upload.Channel, filename string) (upload.Upload, bool, error) {
	u, err := l.j.Latest(ctx, ch, filename)
	if errors.Is(err, journal.ErrNotFound) {
		return u, false, nil
	}
	return u, err == nil, err
}

// Act implements recovery.Ledger.
func (l lost) Act(ctx context.Context, id upload.ID, o upload.Outcome) error {
	return shelves(l).Relocate(ctx, id, o)
}

// ticketKeeper keeps tickets in the recovery log before the journal: what a lost
// journal cannot tell any more must be known from elsewhere.
type ticketKeeper struct{ a *App }

// KeepTicket implements transmit.Tickets.
func (k ticketKeeper) KeepTicket(ctx context.Context, u upload.Upload, t upload.Ticket, now time.Time) error {
	noted := u
	noted.Ticket = t
	if err := k.a.recovery.Keep(noted, now); err != nil {
		return err
	}
	return k.a.journal.KeepTicket(ctx, u, t, now)
}

// putAway keeps the verdict in the recovery log before the original is touched,
// and has it put away.
func (a *App) putAway(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
	if !a.noted.has(u) {
		if err := a.recovery.Keep(u, a.now()); err != nil {
			return upload.Outcome{}, err
		}
		a.noted.add(u)
	}
	retire := a.stages.retire.Run
	if a.decided.take(u.ID) == u.Fence && u.Fence != 0 { // ours since its verdict, and not begun with
		retire = a.stages.retire.First
	}
	o, err := retire(ctx, u)
	if err == nil && !o.Stays() {
		a.noted.drop(u.ID)
	}
	return o, err
}
