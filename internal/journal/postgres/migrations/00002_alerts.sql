-- +goose Up

-- What people are told of: one open row for each matter, by its key.
CREATE TABLE alerts (
    seq             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    alert_key       TEXT    NOT NULL CONSTRAINT alert_key_is_given CHECK (alert_key <> ''),
    event           TEXT    NOT NULL,
    severity        TEXT    NOT NULL CONSTRAINT alert_severity_is_known CHECK (severity IN ('critical', 'warning')),
    channel         TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    params          TEXT    NOT NULL, -- JSON
    files           TEXT    NOT NULL, -- JSON
    occurrences     BIGINT NOT NULL CONSTRAINT alert_occurrences_are_counted CHECK (occurrences > 0),
    settled         BIGINT NOT NULL,
    opened_at       BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    acknowledged_at BIGINT,
    acknowledged_by TEXT    NOT NULL,
    resolved_at     BIGINT,
    due_at          BIGINT, -- when the next message is to be sent
    attempt         BIGINT NOT NULL,
    last_error      TEXT    NOT NULL,
    deliveries      BIGINT NOT NULL,
    told            BIGINT NOT NULL, -- occurrences in the last message
    told_at         BIGINT,
    claimed_at      BIGINT,
    claim_until     BIGINT,
    fence           BIGINT NOT NULL
);
CREATE UNIQUE INDEX alerts_one_open_per_key ON alerts (alert_key) WHERE resolved_at IS NULL;
CREATE INDEX alerts_due ON alerts (due_at) WHERE due_at IS NOT NULL;

-- Every attempt to send a message.
CREATE TABLE alert_deliveries (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id TEXT    NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    at       BIGINT NOT NULL,
    notice   TEXT    NOT NULL,
    result   TEXT    NOT NULL CONSTRAINT alert_result_is_known CHECK (result IN ('delivered', 'failed')),
    detail   TEXT    NOT NULL,
    attempt  BIGINT NOT NULL
);
CREATE INDEX alert_deliveries_by_alert ON alert_deliveries (alert_id, seq);
