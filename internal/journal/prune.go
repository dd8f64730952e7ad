package journal

import (
	"context"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// prunable: finished, the original no longer in our keeping (or it, or a copy put
// back, in the watched directory, but a later upload is about the file of that name), and nothing
// left that only this row knows: who holds content without a verdict that says
// that the server has it, has the ticket to ask with.
const prunable = `finished_at < ? AND finished_at IS NOT NULL AND place NOT IN ('archive', 'quarantine')
	AND ((place IN ('deleted', 'gone', 'expired') AND reason <> 'restored_as_file') OR ((place = 'watch' OR reason = 'restored_as_file') AND EXISTS (
		SELECT 1 FROM uploads newer WHERE newer.channel = u.channel AND newer.filename = u.filename AND newer.seq > u.seq)))
	AND (content_key IS NULL OR verdict IN ('accepted', 'duplicate', 'partially_accepted'))`

// Prune removes at most limit uploads that finished before the time given, with
// their events, findings and tickets, where nothing of them is needed any more
// (see the package comment), and gives their number: call it until it gives less
// than limit, so that nobody waits long for the writer.
func (j *Journal) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	const op = "prune"
	if err := j.begin(op); err != nil {
		return 0, err
	}
	seqs, err := collect(ctx, j, func(n *int64) []any { return []any{n} },
		`SELECT seq FROM uploads u WHERE `+prunable+` ORDER BY finished_at LIMIT ?`, at(before), limit)
	if err != nil || len(seqs) == 0 {
		return 0, j.fail(op, err)
	}
	args := make([]any, len(seqs))
	for i, s := range seqs {
		args[i] = s
	}
	list := ` seq IN (` + marks(len(args)) + `)`
	// What was delivered is durable before any row goes: a concurrent Record
	// finds the content in one place or the other at every moment.
	err = j.transact(ctx, func(t txn) error {
		_, err := t.exec(ctx, `INSERT INTO delivered (channel, digest, upload_id, verdict, at)
			SELECT channel, content_key, id, verdict, finished_at FROM uploads WHERE content_key IS NOT NULL AND`+list+`
			ON CONFLICT DO NOTHING`, args...)
		return err
	})
	if err != nil {
		return 0, j.fail(op, err)
	}
	var pruned int64
	err = j.transact(ctx, func(t txn) error {
		// A row may have moved on since it was selected.
		pruned, err = t.exec(ctx, `DELETE FROM uploads AS u WHERE `+prunable+` AND`+list, append([]any{at(before)}, args...)...)
		return err
	})
	return pruned, j.fail(op, err)
}

// Stored are at most limit retired uploads whose original went to the place
// before the time given, in the order of their IDs, beginning after one (empty:
// from the start): what a retention sweep looks at.
func (j *Journal) Stored(ctx context.Context, place upload.Place, before time.Time, after upload.ID, limit int) ([]upload.Upload, error) {
	const op = "read stored"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	all, err := collect(ctx, j, refs, `SELECT `+j.columns+` FROM uploads
		WHERE place = ? AND place IN ('archive', 'quarantine') AND state = 'retired' AND finished_at < ? AND id > ? ORDER BY id LIMIT ?`,
		place, at(before), after, limit)
	return all, j.fail(op, err)
}

// Meta reads a note kept under a key; empty if there is none.
func (j *Journal) Meta(ctx context.Context, key string) (string, error) {
	const op = "read meta"
	if err := j.begin(op); err != nil {
		return "", err
	}
	all, err := collect(ctx, j, func(s *string) []any { return []any{s} }, `SELECT value FROM meta WHERE name = ?`, key)
	if err != nil || len(all) == 0 {
		return "", j.fail(op, err)
	}
	return all[0], nil
}

// SetMeta keeps a note under a key.
func (j *Journal) SetMeta(ctx context.Context, key, value string) error {
	const op = "write meta"
	if err := j.begin(op); err != nil {
		return err
	}
	return j.fail(op, j.transact(ctx, func(t txn) error {
		_, err := t.exec(ctx, `INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, key, value)
		return err
	}))
}
