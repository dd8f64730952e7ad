package journal

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// ChannelRecord is what must be known of a channel after a restart.
type ChannelRecord struct {
	Channel upload.Channel
	State   string // as the channel's gate names it; empty: never saved
	Reason  upload.Reason
	Detail  string // for the operator; no secret

	Paused   bool
	PausedBy string
	PausedAt time.Time

	RefusedSince   time.Time // zero: the credentials are not refused
	NextProbeAt    time.Time
	RefusalsToday  int
	RefusalDay     string // the day that RefusalsToday counts
	CredentialHash string // of the credentials that were refused, to see that they changed

	UpdatedAt time.Time
	// Seen is the UpdatedAt of the record that this one was made from; Channel
	// sets it, SaveChannel compares.
	Seen time.Time
}

const channelColumns = `channel, state, reason, detail, paused, paused_by, paused_at,
	refused_since, next_probe_at, refusals_today, refusal_day, credential_hash, updated_at`

func channelRefs(r *ChannelRecord) []any {
	return []any{
		&r.Channel, &r.State, &r.Reason, &r.Detail, &r.Paused, &r.PausedBy,
		nanos{&r.PausedAt},
		nanos{&r.RefusedSince},
		nanos{&r.NextProbeAt},
		&r.RefusalsToday, &r.RefusalDay, &r.CredentialHash,
		nanos{&r.UpdatedAt},
	}
}

// Channel is the record of a channel; of one never saved, an empty one.
func (j *Journal) Channel(ctx context.Context, ch upload.Channel) (ChannelRecord, error) {
	const op = "read channel"
	if err := j.begin(op); err != nil {
		return ChannelRecord{}, err
	}
	r := ChannelRecord{Channel: ch}
	err := j.row(ctx, `SELECT `+channelColumns+` FROM channels WHERE channel = ?`, ch).Scan(channelRefs(&r)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	r.Seen = r.UpdatedAt
	return r, j.fail(op, err)
}

// SaveChannel puts r in place of the record it was made from, the one that was
// updated at r.Seen (zero: of none). ErrConflict: somebody was faster; nothing was
// written, and the caller reads and decides anew. UpdatedAt must differ from Seen.
func (j *Journal) SaveChannel(ctx context.Context, r ChannelRecord) error {
	const op = "save channel"
	if err := j.begin(op); err != nil {
		return err
	}
	args := channelRefs(&r)
	err := j.transact(ctx, func(t txn) error {
		n, err := t.exec(ctx, `INSERT INTO channels (`+channelColumns+`) VALUES (`+marks(len(args))+`)
			ON CONFLICT (channel) DO UPDATE SET state = excluded.state, reason = excluded.reason, detail = excluded.detail,
				paused = excluded.paused, paused_by = excluded.paused_by, paused_at = excluded.paused_at,
				refused_since = excluded.refused_since, next_probe_at = excluded.next_probe_at,
				refusals_today = excluded.refusals_today, refusal_day = excluded.refusal_day,
				credential_hash = excluded.credential_hash, updated_at = excluded.updated_at
			WHERE coalesce(channels.updated_at, 0) = ?`, append(args, epoch(r.Seen))...)
		if err == nil && n == 0 {
			err = ErrConflict
		}
		return err
	})
	if err == nil {
		j.notify()
	}
	return j.fail(op, err)
}

// epoch is a time in nanoseconds; 0 for none.
func epoch(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
