package bench

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/journaltest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	startRows  = 10_000
	startTimes = 11
	// mostWithEvents is for how many uploads fill makes events, too: eight for each
	// of a million would take an hour.
	mostWithEvents = 10_000
)

// start measures from before the process begins until /readyz says yes, with a
// journal full of finished uploads; beside it, a process that only says its
// version.
func (b *bench) start(ctx context.Context, t *testing.T) {
	server, dir := b.sandbox(ctx, t), home(t)
	fill(ctx, t, filepath.Join(dir, "state"), startRows)
	startTimes := setting(t, "HQMS_BENCH_STARTS", startTimes)
	var took, bare []time.Duration
	for range startTimes {
		began := time.Now()
		must(t, exec.CommandContext(ctx, filepath.Join(b.bin, "hqms-sidecar"), "version").Run())
		bare = append(bare, time.Since(began))
		s := b.sidecar(ctx, t, dir, server)
		took = append(took, s.ready(ctx, t))
		s.stop()
	}
	what := fmt.Sprintf("start to ready, %d rows", startRows)
	b.note(figure{
		Part: "start", What: what + ", p50", Value: ms(quantile(took, 0.5)), Unit: "ms",
		Ratio: float64(quantile(took, 0.5)) / float64(quantile(bare, 0.5)), Yardstick: "× a process that only says its version",
	})
	b.atMost(figure{Part: "start", What: what + ", worst", Value: ms(quantile(took, 1)), Unit: "ms"}, 300)
}

// atOnce is how many rows fill makes in one transaction.
const atOnce = 1_000_000

// fill makes a journal of n finished uploads, the latest of them with their events:
// copies of one that has gone its way, whose laws need not be looked at again.
func fill(ctx context.Context, t *testing.T, state string, n int) {
	t.Helper()
	j, err := sqlite.Open(ctx, state, journal.Options{})
	must(t, err)
	defer func() { must(t, j.Close()) }()
	u := pattern(ctx, t, j)
	conn, err := j.DB().Conn(ctx)
	must(t, err)
	defer conn.Close()
	exec := func(query string, args ...any) {
		t.Helper()
		_, err := conn.ExecContext(ctx, query, args...)
		must(t, err)
	}
	exec(`PRAGMA foreign_keys = 0; PRAGMA ignore_check_constraints = 1; PRAGMA synchronous = 0`)
	var columns string // those that all rows may have the same
	must(t, conn.QueryRowContext(ctx, `SELECT group_concat(name, ', ') FROM pragma_table_info('uploads')
		WHERE name NOT IN ('seq', 'id', 'filename', 'digest', 'content_key', 'spotted_at')`).Scan(&columns))
	for have := 1; have < n; have += atOnce {
		exec(`WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO uploads (id, filename, digest, content_key, spotted_at, `+columns+`)
			SELECT printf('01900000-0000-7000-8000-%012d', i), printf('flu_%d.csv', i), printf('sha-256:%064d', i), printf('sha-256:%064d', i),
				spotted_at + i, `+columns+` FROM n, uploads WHERE uploads.id = ?`, have, min(have+atOnce, n)-1, u.ID)
	}
	exec(`INSERT INTO events (upload_id, channel, at, name, from_state, to_state, verdict, reason, detail, attempt)
		SELECT u.id, e.channel, e.at, e.name, e.from_state, e.to_state, e.verdict, e.reason, e.detail, e.attempt
		FROM (SELECT * FROM uploads ORDER BY seq DESC LIMIT ?) u, events e WHERE e.upload_id = ? AND u.id <> e.upload_id ORDER BY u.seq, e.seq`, mostWithEvents, u.ID)
}

// pattern brings one upload through the whole of its life.
func pattern(ctx context.Context, t *testing.T, j *journal.Journal) upload.Upload {
	t.Helper()
	u, err := journaltest.Finished(ctx, j, time.Now().Add(-time.Hour))
	must(t, err)
	return u
}
