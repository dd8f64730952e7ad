package app

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/telemetry"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// expectEvery is how often expected files are looked for.
const expectEvery = 20 * time.Second

// newCalendar makes the calendar of the channels' expected files; nil where none
// expects any.
func (a *App) newCalendar() *calendar.Keeper {
	var all []calendar.Watched
	for _, ch := range a.cfg.Channels() {
		if !ch.Expect.IsZero() {
			all = append(all, calendar.Watched{Channel: ch.Name, Plan: ch.Expect})
		}
	}
	if all == nil {
		return nil
	}
	return calendar.NewKeeper(calendar.Options{
		Channels: all, Holidays: (&holidays{path: a.cfg.HolidaysFile, log: a.log, clock: a.now}).now, Zone: time.Local, Warn: a.cfg.ExpectWarn,
		Ledger: deliveries{a.journal}, Notes: a.journal, Teller: missingFiles{a.alerts.book}, Logger: a.log, Now: a.journal.Now,
	})
}

// expecting looks for expected files until ctx ends.
func (a *App) expecting(ctx context.Context) {
	if a.calendar == nil {
		return
	}
	for {
		if err := a.calendar.Look(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("expected files were not looked for, will try again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(expectEvery):
		}
	}
}

// reports is the calendar as the API shows it; nil where nothing is expected.
func (a *App) reports() httpapi.Calendar {
	if a.calendar == nil {
		return nil // an interface that holds nothing is not nothing
	}
	return a.calendar
}

// missing is what the gauge of missing files shows.
func (a *App) missing() []telemetry.Missing {
	if a.calendar == nil {
		return nil
	}
	var all []telemetry.Missing
	latest, _ := a.calendar.Standings()
	for _, e := range latest {
		all = append(all, telemetry.Missing{Channel: e.Channel, Kind: e.Kind, Missing: e.State == calendar.Late})
	}
	return all
}

// deliveries is the journal as the calendar reads it.
type deliveries struct{ j *journal.Journal }

// Deliveries implements calendar.Ledger.
func (d deliveries) Deliveries(ctx context.Context, ch upload.Channel, kind upload.Kind, from, to time.Time) ([]calendar.Delivery, error) {
	var all []calendar.Delivery
	f := journal.Filter{Channels: []upload.Channel{ch}, Kinds: []upload.Kind{kind}, SpottedFrom: from.Add(1), SpottedTo: to.Add(1)}
	err := d.j.Accounts(ctx, f, func(a journal.Account) error {
		all = append(all, calendar.Delivery{
			ID: a.ID, Kind: a.Kind, State: a.State, Verdict: a.Verdict, Spotted: a.SpottedAt, Decided: a.DecidedAt(),
		})
		return nil
	})
	return all, err
}

// holidays are read again when their file's content changes. A file that cannot
// be read leaves the last good ones in place.
type holidays struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	content []byte
	failed  string // what was last said to be wrong, so that it is said once
	good    calendar.Holidays
	asked   int // the last year of which it was asked whether the list has it
	clock   func() time.Time
}

func (h *holidays) now() calendar.Holidays {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.path == "" {
		return h.good
	}
	defer h.ask()
	content, err := os.ReadFile(h.path)
	if err == nil && h.content != nil && bytes.Equal(content, h.content) {
		return h.good
	}
	var read calendar.Holidays
	if err == nil {
		read, err = calendar.ParseHolidays(bytes.NewReader(content))
	}
	if err != nil {
		if h.failed != err.Error() {
			h.failed = err.Error()
			h.log.Warn("holiday list was not read, the last good one counts", slog.String("path", h.path), slog.Any("error", err))
		}
		return h.good
	}
	h.good, h.content, h.failed, h.asked = read, content, "", 0
	return h.good
}

// ask says once for each list and year that the list says nothing about it; in
// December of the year that begins then.
func (h *holidays) ask() {
	now := h.clock().In(time.Local)
	last := now.Year()
	if now.Month() == time.December {
		last++
	}
	for year := max(h.asked+1, now.Year()); year <= last && h.content != nil; year++ {
		h.asked = year
		if !h.good.Covers(year) {
			h.log.Warn("holiday list says nothing about the year", slog.String("path", h.path), slog.Int("year", year))
		}
	}
}
