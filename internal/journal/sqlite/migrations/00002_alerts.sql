-- +goose Up

-- What people are told of: one open row for each matter, by its key.
CREATE TABLE alerts (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    alert_key       TEXT    NOT NULL CONSTRAINT alert_key_is_given CHECK (alert_key <> ''),
    event           TEXT    NOT NULL,
    severity        TEXT    NOT NULL CONSTRAINT alert_severity_is_known CHECK (severity IN ('critical', 'warning')),
    channel         TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    params          TEXT    NOT NULL, -- JSON
    files           TEXT    NOT NULL, -- JSON
    occurrences     INTEGER NOT NULL CONSTRAINT alert_occurrences_are_counted CHECK (occurrences > 0),
    settled         INTEGER NOT NULL,
    opened_at       INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    acknowledged_at INTEGER,
    acknowledged_by TEXT    NOT NULL,
    resolved_at     INTEGER,
    due_at          INTEGER, -- when the next message is to be sent
    attempt         INTEGER NOT NULL,
    last_error      TEXT    NOT NULL,
    deliveries      INTEGER NOT NULL,
    told            INTEGER NOT NULL, -- occurrences in the last message
    told_at         INTEGER,
    claimed_at      INTEGER,
    claim_until     INTEGER,
    fence           INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX alerts_one_open_per_key ON alerts (alert_key) WHERE resolved_at IS NULL;
CREATE INDEX alerts_due ON alerts (due_at) WHERE due_at IS NOT NULL;

-- Every attempt to send a message.
CREATE TABLE alert_deliveries (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id TEXT    NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    at       INTEGER NOT NULL,
    notice   TEXT    NOT NULL,
    result   TEXT    NOT NULL CONSTRAINT alert_result_is_known CHECK (result IN ('delivered', 'failed')),
    detail   TEXT    NOT NULL,
    attempt  INTEGER NOT NULL
) STRICT;
CREATE INDEX alert_deliveries_by_alert ON alert_deliveries (alert_id, seq);
