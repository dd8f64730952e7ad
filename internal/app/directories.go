package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/check"
	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

// forbidden knows which directories may not be used as they have to be: without
// leave to rename a file, it would be delivered and could not be put away. That is
// looked at from the start on, not when the first file has come.
type forbidden struct {
	mu    sync.Mutex
	steps map[string]check.Step // by path
}

// look looks at the directories and logs what has changed.
func (f *forbidden) look(cfg *config.Config, log *slog.Logger) {
	now := map[string]check.Step{}
	for _, s := range check.Access(cfg) {
		if s.Status == check.Fail && s.Reason != "" {
			now[s.Params["path"]] = s
		}
	}
	f.mu.Lock()
	was := f.steps
	f.steps = now
	f.mu.Unlock()
	for path, s := range now {
		if old, known := was[path]; known && old.Reason == s.Reason && old.Detail == s.Detail {
			continue
		}
		log.Error("directory cannot be used as it has to be", slog.String("path", path), slog.String("channel", string(s.Channel)),
			slog.String("reason", string(s.Reason)), slog.String("detail", s.Detail),
			slog.String("zh", s.Text(phrase.Chinese)+"。"+s.Advice(phrase.Chinese)), slog.String("en", s.Text(phrase.English)+". "+s.Advice(phrase.English)))
	}
	for path := range was {
		if _, still := now[path]; !still {
			log.Info("directory can be used again", slog.String("path", path))
		}
	}
}

// obstacles are what is in the way of readiness.
func (f *forbidden) obstacles() []httpapi.Obstacle {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []httpapi.Obstacle
	for path, s := range f.steps {
		all = append(all, httpapi.Obstacle{Reason: s.Reason, Channel: s.Channel, Detail: path + ": " + s.Detail})
	}
	return all
}

// lookingAtDirectories looks again and again until ctx ends: an owner is changed,
// or a volume mounted anew, without a restart.
func (a *App) lookingAtDirectories(ctx context.Context) {
	tick := time.NewTicker(a.cfg.RescanInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.forbidden.look(a.cfg, a.log)
		}
	}
}

// explain says why the program did not start, and what to do about it.
func explain(w io.Writer, cfg *config.Config, err error) {
	fmt.Fprintf(w, "%s / %s: %v\n", phrase.Text(phrase.Chinese, "start.cannot", nil), phrase.Text(phrase.English, "start.cannot", nil), err)
	id := ""
	switch {
	case errors.Is(err, journal.ErrInUse):
		id = "start.in_use"
	case cfg.DatabaseURL.IsSet() && errors.Is(err, errDatabase):
		id = "start.database"
	}
	if id != "" {
		for _, lang := range phrase.Langs() {
			fmt.Fprintln(w, phrase.Text(lang, id, nil))
		}
		return
	}
	for _, s := range check.Directories(cfg) {
		if s.Status == check.Fail {
			fmt.Fprintln(w, s)
		}
	}
}
