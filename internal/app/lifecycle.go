package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// lifecycle remembers how to take down what was set up, last first.
type lifecycle struct {
	steps []teardown
}

type teardown struct {
	name string
	do   func(ctx context.Context) error
}

// onStop registers a teardown. Call it the moment the thing exists.
func (l *lifecycle) onStop(name string, do func(ctx context.Context) error) {
	l.steps = append(l.steps, teardown{name, do})
}

// stop runs all teardowns, last registered first, within stopBudget in all. Each
// gets its turn also when an earlier one failed or took all the time.
func (l *lifecycle) stop(log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopBudget)
	defer cancel()
	var all []error
	for _, s := range slices.Backward(l.steps) {
		began := time.Now()
		if err := s.do(ctx); err != nil {
			all = append(all, fmt.Errorf("stop %s: %w", s.name, err))
		}
		log.Debug("stopped", slog.String("part", s.name), slog.Duration("took", time.Since(began)))
	}
	l.steps = nil
	return errors.Join(all...)
}
