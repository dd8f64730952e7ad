-- +goose Up

-- Claims ask for few states at a time: a thousand uploads that wait for their
-- verdict must cost the claim of a new file nothing. The old index held the same
-- rows in the order of spotting alone; to keep both would double what is written.
CREATE INDEX uploads_claims ON uploads (channel, state, spotted_at, seq, next_attempt_at, lease_until, attempt)
    WHERE state IN ('spotted', 'settled', 'validated', 'packed', 'sent', 'decided');
DROP INDEX uploads_open;
