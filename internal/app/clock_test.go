package app

import (
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
)

func TestOnlyASetClockHasJumped(t *testing.T) {
	t.Parallel()
	last := time.Now()
	for want, now := range map[time.Duration]time.Time{
		0: last.Add(time.Minute), time.Hour: last.Add(time.Hour + time.Minute), -time.Hour: last.Add(time.Minute - time.Hour),
	} {
		if by := jumped(last, now, time.Minute); by != want {
			t.Errorf("a minute later the clock has jumped by %s, want %s", by, want)
		}
	}
}

// started sets the program up, but does not run it, until the test ends.
func started(t *testing.T, seams Seams, more ...string) *App {
	t.Helper()
	cfg, err := config.Load(append(environ(t), append(more, "LOG_LEVEL=error")...))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, io.Discard, seams)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.life.stop(slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestWhatHasJumpedDecidesWhatIsDone(t *testing.T) {
	t.Parallel()
	var done []string
	a := started(t, Seams{Journal: func(op string) error {
		if op == "compare clocks" || op == "wake future" {
			done = append(done, op)
		}
		return nil
	}})
	at := time.Now()
	w := clockWatch{a: a, last: clocks{at, at}}
	for _, c := range []struct {
		what         string
		own, journal time.Duration // what they show a second later
		want         []string
	}{
		{"nothing", time.Second, time.Second, nil},
		{"ours, forth", time.Hour, time.Second, []string{"compare clocks"}},
		{"ours, back", -time.Hour, time.Second, []string{"compare clocks"}},
		{"the database's, back", time.Second, -time.Hour, []string{"wake future"}},
		{"the only one there is", -time.Hour, -time.Hour, []string{"compare clocks", "wake future"}},
		{"nothing again", time.Second, time.Second, nil},
	} {
		done = nil
		w.look(clocks{w.last.own.Add(c.own), w.last.journal.Add(c.journal)}, time.Second)
		w.act(t.Context())
		w.act(t.Context()) // nothing is left to be done
		if !slices.Equal(done, c.want) {
			t.Errorf("%s has jumped: %q, want %q", c.what, done, c.want)
		}
	}
}
