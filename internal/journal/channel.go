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
	return r, j.fail(op, err)
}

// SaveChannel puts the record in place of the earlier one.
func (j *Journal) SaveChannel(ctx context.Context, r ChannelRecord) error {
	const op = "save channel"
	if err := j.begin(op); err != nil {
		return err
	}
	args := channelRefs(&r)
	err := j.transact(ctx, func(t txn) error {
		if _, err := t.exec(ctx, `DELETE FROM channels WHERE channel = ?`, r.Channel); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO channels (`+channelColumns+`) VALUES (`+marks(len(args))+`)`, args...)
		return err
	})
	if err == nil {
		j.notify()
	}
	return j.fail(op, err)
}
