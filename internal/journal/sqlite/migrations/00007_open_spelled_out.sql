-- +goose Up

-- A list of more than two values after IN becomes a table of its own in SQLite,
-- made and thrown away for every row that is written: for the checks and these
-- indices together a quarter of the processor time of an upload's way through the
-- journal.
DROP INDEX uploads_one_open_per_file;
CREATE UNIQUE INDEX uploads_one_open_per_file ON uploads (channel, filename)
    WHERE (state = 'spotted' OR state = 'settled' OR state = 'validated' OR state = 'packed' OR state = 'sent' OR state = 'decided');
DROP INDEX uploads_claims;
CREATE INDEX uploads_claims ON uploads (channel, state, spotted_at, seq, next_attempt_at, lease_until, attempt)
    WHERE (state = 'spotted' OR state = 'settled' OR state = 'validated' OR state = 'packed' OR state = 'sent' OR state = 'decided');
