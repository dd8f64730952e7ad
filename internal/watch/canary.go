package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	canaryPrefix   = ownPrefix + "canary-"
	canaryPatience = 2 * time.Second
	canaryEvery    = 24 * time.Hour
	canaryStale    = time.Hour // left by a run that was killed between making and removing it
)

// canary is the self-test: a file made and removed at once, whose event must
// come back. It is tried when the watch is set up, and daily.
type canary struct {
	name     string // the event that is waited for; empty: none
	deadline time.Time
	next     time.Time
	sung     bool
}

func (c *canary) heard(name string) {
	if c.name != "" && name == c.name {
		c.sung = true
	}
}

func (c *canary) due() time.Time {
	switch {
	case c.name == "":
		return c.next
	case c.sung:
		return time.Unix(1, 0)
	default:
		return c.deadline
	}
}

// releaseCanary begins a self-test.
func (o *owner) releaseCanary(now time.Time) {
	o.canary = canary{next: now.Add(canaryEvery)}
	name := canaryPrefix + upload.NewUUID(now)
	if err := o.opts.Dir.Plant(name); err != nil {
		o.setSelfTest(TestReadOnly)
		return
	}
	_ = o.opts.Dir.Remove(name) // one that cannot be removed is swept later
	o.canary.name, o.canary.deadline = name, now.Add(canaryPatience)
	o.setSelfTest(TestPending)
}

// checkCanary ends the self-test, or begins the next one.
func (o *owner) checkCanary(now time.Time) {
	switch due := o.canary.due(); {
	case due.IsZero() || now.Before(due):
	case o.canary.name == "":
		if o.source != nil {
			o.releaseCanary(now)
		} else {
			o.canary = canary{}
		}
	case o.canary.sung:
		o.canary.name = ""
		o.setSelfTest(TestOK)
	default:
		o.canary.name = ""
		o.setSelfTest(TestNoEvents)
		o.opts.Logger.Warn("no event came for the canary file; files are found by the rescan alone",
			"channel", string(o.opts.Channel))
	}
}

func (o *owner) setSelfTest(t SelfTest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status.SelfTest = t
}

// sweepCanary removes a canary that a killed run left behind.
func (o *owner) sweepCanary(e Entry, now time.Time) {
	if !strings.HasPrefix(e.Name, canaryPrefix) || e.Name == o.canary.name {
		return
	}
	if id, err := e.Look(); err == nil && now.Sub(time.Unix(0, id.ModTime)) > canaryStale {
		_ = o.opts.Dir.Remove(e.Name)
	}
}

// TestEvents makes the self-test by itself, for a check before the start: nil
// when the event of a canary made in d came before ctx ended.
func TestEvents(ctx context.Context, d Directory) error {
	src, err := openSource(d.Path())
	if err != nil {
		return err
	}
	defer src.close()
	name := canaryPrefix + upload.NewUUID(time.Now())
	if err := d.Plant(name); err != nil {
		return fmt.Errorf("make a test file: %w", err)
	}
	defer d.Remove(name) //nolint:errcheck // one that cannot be removed is swept later
	for {
		select {
		case e := <-src.events:
			if e.name == name {
				return nil
			}
		case <-ctx.Done():
			return errors.New("no event came for the test file")
		}
	}
}
