package calendar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Ledger is the journal as the calendar reads it.
type Ledger interface {
	// Deliveries are the channel's uploads of the kind that were spotted after from, up to to.
	Deliveries(ctx context.Context, ch upload.Channel, kind upload.Kind, from, to time.Time) ([]Delivery, error)
}

// Notes keep what was told over restarts; *journal.Journal is one.
type Notes interface {
	Meta(ctx context.Context, key string) (string, error)
	SetMeta(ctx context.Context, key, value string) error
	// Turn waits for the one right of that name among all replicas.
	Turn(ctx context.Context, name string) (release func(), err error)
}

// Event is a change that somebody should hear of.
type Event string

// The events.
const (
	Near     Event = "near"     // the deadline is near, nothing has arrived or is under way
	Missing  Event = "missing"  // the deadline has passed, and nothing has arrived
	Restored Event = "restored" // it has arrived after either, or what was due next has
)

// Notice is one event of one expected file.
type Notice struct {
	Event
	Expectation
}

// Teller hears of notices. The same notice may come again after a crash. A
// notice that it fails to take is given to it again at the next look.
type Teller interface {
	Tell(ctx context.Context, n Notice) error
}

// Watched is a channel with what is expected on it.
type Watched struct {
	Channel upload.Channel
	Plan    Plan
}

// Options are what a Keeper is made of.
type Options struct {
	Channels []Watched
	Holidays func() Holidays
	Zone     *time.Location
	Warn     time.Duration // before a deadline, for Near; 0: never
	Ledger   Ledger
	Notes    Notes
	Teller   Teller // nil: only the log hears
	Logger   *slog.Logger
	Now      func() time.Time // the clock by which the ledger says when files were spotted
}

// Keeper keeps the calendar. It is safe for concurrent use.
type Keeper struct {
	o    Options
	mu   sync.Mutex
	seen []standing // as of the last look
}

// standing is how it stands with one kind of a channel.
type standing struct {
	last, next Expectation // of the latest deadline, and of the one ahead; Day is empty where there is none
}

// NewKeeper makes a Keeper; it looks when Look is called.
func NewKeeper(o Options) *Keeper { return &Keeper{o: o} }

// looksBack is how many past deadlines are assessed to know the latest one: what
// came late for the one before is not its own.
const looksBack = 4

// Look assesses every kind anew and tells what has changed since it was last told.
func (k *Keeper) Look(ctx context.Context) error {
	var seen []standing
	var errs []error
	now := k.o.Now()
	for _, w := range k.o.Channels {
		for _, kind := range w.Plan.Kinds() {
			s, err := k.look(ctx, w, kind, now)
			if err != nil {
				errs = append(errs, fmt.Errorf("calendar of %s %s: %w", w.Channel, kind, err))
				continue
			}
			seen = append(seen, s)
		}
	}
	if len(errs) == 0 {
		k.mu.Lock()
		k.seen = seen
		k.mu.Unlock()
	}
	return errors.Join(errs...)
}

// told is what has been told of a kind, as kept in the notes. Times are seconds
// since the Unix epoch: the deadlines that it was told of.
type told struct {
	Began    int64 `json:"began"` // when the calendar began to be kept for the kind
	Near     int64 `json:"near,omitempty"`
	Missing  int64 `json:"missing,omitempty"`
	Restored int64 `json:"restored,omitempty"`
}

// aheadMost is how much farther another replica's clock may be than ours.
const aheadMost = time.Minute

// until is what can have been told up to now: a clock that has gone back since would
// else keep everything quiet for as long as it has gone. A kind that is new begins now.
func (t told) until(now time.Time, warn time.Duration) told {
	cut := func(v *int64, most time.Duration) {
		if *v > now.Add(most+aheadMost).Unix() {
			*v = now.Unix()
		}
	}
	if t.Began == 0 {
		t.Began = now.Unix()
	}
	cut(&t.Began, 0)
	cut(&t.Missing, 0)
	cut(&t.Near, warn)
	cut(&t.Restored, warn)
	return t
}

func noteOf(ch upload.Channel, kind upload.Kind) string {
	return "expected/" + string(ch) + "/" + string(kind)
}

func (k *Keeper) look(ctx context.Context, w Watched, kind upload.Kind, now time.Time) (standing, error) {
	t, err := k.recall(ctx, w.Channel, kind)
	if err != nil {
		return standing{}, err
	}
	if is := t.until(now, k.o.Warn); is != t {
		t = is
		if err := k.remember(ctx, w.Channel, kind, t); err != nil {
			return standing{}, err
		}
	}
	all, err := k.assess(ctx, w, kind, t, now)
	if err != nil {
		return standing{}, err
	}
	if changed, _ := t.changes(all, k.o.Warn, now); changed == t {
		return standingOf(all, now), nil
	}
	return standingOf(all, now), k.tell(ctx, w, kind, now)
}

// tell tells what has changed, one replica at a time: another one may have told it meanwhile.
func (k *Keeper) tell(ctx context.Context, w Watched, kind upload.Kind, now time.Time) error {
	release, err := k.o.Notes.Turn(ctx, "calendar")
	if err != nil {
		return err
	}
	defer release()
	t, err := k.recall(ctx, w.Channel, kind)
	if err != nil {
		return err
	}
	all, err := k.assess(ctx, w, kind, t, now)
	if err != nil {
		return err
	}
	changed, notices := t.changes(all, k.o.Warn, now)
	for _, n := range notices {
		k.log(ctx, n)
		if k.o.Teller == nil {
			continue
		}
		if err := k.o.Teller.Tell(ctx, n); err != nil {
			return fmt.Errorf("tell that a file is %s: %w", n.Event, err)
		}
	}
	if changed == t {
		return nil
	}
	return k.remember(ctx, w.Channel, kind, changed)
}

func (k *Keeper) recall(ctx context.Context, ch upload.Channel, kind upload.Kind) (told, error) {
	var t told
	note, err := k.o.Notes.Meta(ctx, noteOf(ch, kind))
	if err != nil || note == "" {
		return t, err
	}
	if err := json.Unmarshal([]byte(note), &t); err != nil { // not ours any more: begin anew
		return told{}, nil //nolint:nilerr // what was told before is not worth a standstill
	}
	return t, nil
}

func (k *Keeper) remember(ctx context.Context, ch upload.Channel, kind upload.Kind, t told) error {
	note, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("note what was told: %w", err)
	}
	return k.o.Notes.SetMeta(ctx, noteOf(ch, kind), string(note))
}

// assess is how it stands with the kind's latest deadlines and the one ahead.
func (k *Keeper) assess(ctx context.Context, w Watched, kind upload.Kind, t told, now time.Time) ([]Expectation, error) {
	r := k.ruler(w)
	deadlines := r.before(kind, now, looksBack)
	if next, ok := r.after(kind, now); ok {
		deadlines = append(deadlines, next)
	}
	return k.against(ctx, w.Channel, kind, deadlines, t, now)
}

// against compares deadlines with what the ledger has.
func (k *Keeper) against(ctx context.Context, ch upload.Channel, kind upload.Kind, deadlines []Deadline, t told, now time.Time) ([]Expectation, error) {
	if len(deadlines) < 2 {
		return nil, nil
	}
	deliveries, err := k.o.Ledger.Deliveries(ctx, ch, kind, deadlines[0].At, deadlines[len(deadlines)-1].At)
	if err != nil {
		return nil, err
	}
	all := Assess(deadlines, deliveries, time.Unix(t.Began, 0), now)
	for i := range all {
		all[i].Channel, all[i].Kind = ch, kind
	}
	return all, nil
}

func (k *Keeper) ruler(w Watched) Ruler {
	return Ruler{Plan: w.Plan, Holidays: k.o.Holidays(), Zone: k.o.Zone}
}

func standingOf(all []Expectation, now time.Time) standing {
	var s standing
	for _, e := range all {
		if e.Due.Before(now) {
			s.last = e
		} else if s.next.Day == "" {
			s.next = e
		}
	}
	return s
}

// changes gives what is to be told, and what will have been told then.
func (t told) changes(all []Expectation, warn time.Duration, now time.Time) (told, []Notice) {
	s := standingOf(all, now)
	var notices []Notice
	note := func(ev Event, e Expectation, kept *int64) {
		notices, *kept = append(notices, Notice{ev, e}), e.Due.Unix()
	}
	if open := max(t.Near, t.Missing); open > t.Restored {
		for _, e := range all {
			if e.State == Arrived && e.Due.Unix() >= open {
				restored := e
				if e.Due.Unix() > open { // it never came, but what was due next did
					restored.Due = time.Unix(open, 0).UTC()
				}
				note(Restored, restored, &t.Restored)
				break
			}
		}
	}
	if s.last.State == Late && s.last.Due.Unix() > t.Missing {
		note(Missing, s.last, &t.Missing)
	}
	if s.next.State == Due && s.next.UnderWay == 0 && warn > 0 && s.next.Due.Sub(now) <= warn && s.next.Due.Unix() > t.Near {
		note(Near, s.next, &t.Near)
	}
	return t, notices
}

func (k *Keeper) log(ctx context.Context, n Notice) {
	args := []any{
		slog.String("channel", string(n.Channel)), slog.String("kind", string(n.Kind)),
		slog.Time("due", n.Due), slog.Int("under_way", n.UnderWay),
	}
	switch n.Event {
	case Near:
		k.o.Logger.WarnContext(ctx, "an expected file has not arrived, and its deadline is near", args...)
	case Missing:
		k.o.Logger.ErrorContext(ctx, "an expected file has not arrived by its deadline", args...)
	case Restored:
		k.o.Logger.InfoContext(ctx, "an expected file has arrived after all", args...)
	}
}

// Expectations are all deadlines from one moment up to, not including, another,
// and how it stands with them, in order; channel and kind may be empty: all.
func (k *Keeper) Expectations(ctx context.Context, ch upload.Channel, kind upload.Kind, from, to time.Time) ([]Expectation, error) {
	var all []Expectation
	now := k.o.Now()
	for _, w := range k.o.Channels {
		if ch != "" && ch != w.Channel {
			continue
		}
		for _, each := range w.Plan.Kinds() {
			if kind != "" && kind != each {
				continue
			}
			found, err := k.between(ctx, w, each, from, to, now)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	slices.SortStableFunc(all, func(a, b Expectation) int { return a.Due.Compare(b.Due) })
	return all, nil
}

func (k *Keeper) between(ctx context.Context, w Watched, kind upload.Kind, from, to, now time.Time) ([]Expectation, error) {
	t, err := k.recall(ctx, w.Channel, kind)
	if err != nil {
		return nil, err
	}
	if t.Began == 0 {
		t.Began = now.Unix()
	}
	r := k.ruler(w)
	deadlines := append(r.before(kind, from, looksBack), r.Between(kind, from, to)...)
	if next, ok := r.after(kind, to.Add(1)); ok { // what comes late for the last one is spotted before this one
		deadlines = append(deadlines, next)
	}
	all, err := k.against(ctx, w.Channel, kind, deadlines, t, now)
	return slices.DeleteFunc(all, func(e Expectation) bool { return e.Due.Before(from) || !e.Due.Before(to) }), err
}

// Standings are, as of the last look, the latest deadline of each kind and the one ahead.
func (k *Keeper) Standings() (latest, ahead []Expectation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.seen {
		if s.last.Day != "" {
			latest = append(latest, s.last)
		}
		if s.next.Day != "" {
			ahead = append(ahead, s.next)
		}
	}
	return latest, ahead
}

// Urgent reports whether a file of the kind is late, or has not arrived and is
// due within d, as of the last look.
func (k *Keeper) Urgent(ch upload.Channel, kind upload.Kind, d time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.seen {
		if s.next.Channel == ch && s.next.Kind == kind && s.next.State == Due && s.next.Due.Sub(k.o.Now()) <= d ||
			s.last.Channel == ch && s.last.Kind == kind && s.last.State == Late {
			return true
		}
	}
	return false
}
