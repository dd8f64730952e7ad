-- +goose Up

-- The closed set of reasons, filled at every start; see syncReasons.
CREATE TABLE reasons (
    reason TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- One row for every upload. Times are nanoseconds since the Unix epoch.
CREATE TABLE uploads (
    seq                  INTEGER PRIMARY KEY AUTOINCREMENT, -- order of spotting, whatever the clock does
    id                   TEXT    NOT NULL UNIQUE CONSTRAINT id_is_a_uuid CHECK (length(id) = 36),
    batch_id             TEXT    NOT NULL,
    channel              TEXT    NOT NULL CONSTRAINT channel_is_named CHECK (channel <> ''),
    kind                 TEXT    NOT NULL,
    filename             TEXT    NOT NULL CONSTRAINT filename_is_a_name CHECK (filename <> '' AND instr(filename, '/') = 0),

    source_inode         INTEGER NOT NULL,
    source_size          INTEGER NOT NULL,
    source_mod_time      INTEGER NOT NULL,
    source_change_time   INTEGER NOT NULL,
    digest               TEXT    NOT NULL CONSTRAINT digest_names_its_kind CHECK (digest = '' OR digest LIKE 'sha-256:%'),
    data_rows            INTEGER NOT NULL CONSTRAINT rows_are_counted CHECK (data_rows >= 0),
    charset              TEXT    NOT NULL CONSTRAINT charset_is_known CHECK ((charset = '' OR charset = 'utf-8' OR charset = 'gb18030')),
    standard             TEXT    NOT NULL,
    packed_size          INTEGER NOT NULL CONSTRAINT packed_size_is_counted CHECK (packed_size >= 0),
    packed_digest        TEXT    NOT NULL CONSTRAINT packed_digest_names_its_kind CHECK (packed_digest = '' OR packed_digest LIKE 'sha-256:%'),

    state                TEXT    NOT NULL CONSTRAINT state_is_known CHECK ((state = 'spotted' OR state = 'settled' OR state = 'validated' OR state = 'packed' OR state = 'sent' OR
                     state = 'decided' OR state = 'retired' OR state = 'failed' OR state = 'cancelled' OR state = 'vanished' OR
                     state = 'superseded')),
    verdict              TEXT    NOT NULL CONSTRAINT verdict_is_known CHECK ((verdict = '' OR verdict = 'accepted' OR verdict = 'partially_accepted' OR verdict = 'rejected' OR
                     verdict = 'duplicate' OR verdict = 'invalid' OR verdict = 'unresolved')),
    verdict_reason       TEXT    NOT NULL REFERENCES reasons (reason),
    reason               TEXT    NOT NULL REFERENCES reasons (reason),
    detail               TEXT    NOT NULL,
    attempt              INTEGER NOT NULL CONSTRAINT attempt_is_counted CHECK (attempt >= 0),
    polls                INTEGER NOT NULL CONSTRAINT polls_are_counted CHECK (polls >= 0),
    resume_at            TEXT    NOT NULL CONSTRAINT resume_at_is_open CHECK ((resume_at = '' OR resume_at = 'spotted' OR resume_at = 'settled' OR resume_at = 'validated' OR
                     resume_at = 'packed' OR resume_at = 'sent' OR resume_at = 'decided')),
    forced               INTEGER NOT NULL CONSTRAINT forced_is_yes_or_no CHECK (forced IN (0, 1)),
    replaces_id          TEXT    NOT NULL, -- may have been pruned

    content_key          TEXT,
    ticket_token         TEXT    NOT NULL,
    ticket_url           TEXT    NOT NULL,
    ticket_offset        INTEGER NOT NULL CONSTRAINT offset_is_counted CHECK (ticket_offset >= 0),
    ticket_issued_at     INTEGER,
    ticket_fate          TEXT    NOT NULL CONSTRAINT fate_is_known CHECK ((ticket_fate = '' OR ticket_fate = 'untouched' OR ticket_fate = 'broken' OR ticket_fate = 'maybe' OR
                     ticket_fate = 'answered')),
    ticket_unknowns      INTEGER NOT NULL CONSTRAINT unknowns_are_counted CHECK (ticket_unknowns >= 0),
    ticket_unknown_since INTEGER,
    receipt              TEXT    CONSTRAINT receipt_is_json CHECK (receipt IS NULL OR json_valid(receipt)),
    findings_fatal       INTEGER NOT NULL CONSTRAINT fatal_is_counted CHECK (findings_fatal >= 0),
    findings_error       INTEGER NOT NULL CONSTRAINT error_is_counted CHECK (findings_error >= 0),
    findings_warning     INTEGER NOT NULL CONSTRAINT warning_is_counted CHECK (findings_warning >= 0),

    place                TEXT    NOT NULL CONSTRAINT place_is_known CHECK ((place = 'watch' OR place = 'archive' OR place = 'quarantine' OR place = 'deleted' OR place = 'gone' OR
                     place = 'expired')),
    path                 TEXT    NOT NULL,

    spotted_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    next_attempt_at      INTEGER,
    sent_at              INTEGER,
    finished_at          INTEGER,

    trace_id             TEXT    NOT NULL CONSTRAINT trace_is_given CHECK (length(trace_id) = 32),
    root_span_id         TEXT    NOT NULL CONSTRAINT root_span_is_given CHECK (length(root_span_id) = 16),

    lease_owner          TEXT    CONSTRAINT owner_is_named CHECK (lease_owner <> ''),
    lease_until          INTEGER,
    fence                INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT verdict_exactly_when_decided CHECK (CASE
        WHEN state IN ('decided', 'retired') THEN verdict <> ''
        WHEN state = 'failed' THEN (verdict <> '') = (resume_at = 'decided')
        WHEN state = 'cancelled' THEN TRUE
        ELSE verdict = '' END),
    CONSTRAINT finished_exactly_when_final CHECK (
        (finished_at IS NOT NULL) = ((state = 'retired' OR state = 'cancelled' OR state = 'vanished' OR state = 'superseded'))),
    CONSTRAINT failed_knows_where_to_resume CHECK ((state = 'failed') = (resume_at <> '')),
    CONSTRAINT open_has_a_next_attempt CHECK (
        next_attempt_at IS NOT NULL OR (state <> 'spotted' AND state <> 'settled' AND state <> 'validated' AND state <> 'packed' AND state <> 'sent' AND
                     state <> 'decided')),
    CONSTRAINT examined_has_a_digest CHECK (digest <> '' OR (state <> 'validated' AND state <> 'packed' AND state <> 'sent' AND state <> 'decided' AND state <> 'retired')),
    CONSTRAINT sent_has_its_time CHECK (sent_at IS NOT NULL OR state <> 'sent'),
    CONSTRAINT content_is_held_while_sent CHECK (content_key IS NOT NULL OR state NOT IN ('packed', 'sent')),
    CONSTRAINT content_is_held_from_packed_on CHECK (
        content_key IS NULL OR (state <> 'spotted' AND state <> 'settled' AND state <> 'validated' AND state <> 'vanished' AND
                     state <> 'superseded')),
    CONSTRAINT content_is_the_digest CHECK (content_key IS NULL OR content_key = digest),
    CONSTRAINT lease_is_whole CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CONSTRAINT lease_has_a_fence CHECK (lease_owner IS NULL OR fence > 0),
    CONSTRAINT lease_on_open_only CHECK (
        lease_owner IS NULL OR (state = 'spotted' OR state = 'settled' OR state = 'validated' OR state = 'packed' OR state = 'sent' OR
                     state = 'decided'))
) STRICT;

-- One open upload for each file, one holder for each content.
CREATE UNIQUE INDEX uploads_one_open_per_file ON uploads (channel, filename)
    WHERE state IN ('spotted', 'settled', 'validated', 'packed', 'sent', 'decided');
CREATE UNIQUE INDEX uploads_one_holder_per_content ON uploads (channel, content_key)
    WHERE content_key IS NOT NULL;

-- For claims: open rows only, and all that a claim asks for.
CREATE INDEX uploads_open ON uploads (channel, spotted_at, seq, state, next_attempt_at, lease_until, attempt)
    WHERE state IN ('spotted', 'settled', 'validated', 'packed', 'sent', 'decided');
-- For the backlog and for lists of what is not finished.
CREATE INDEX uploads_unfinished ON uploads (spotted_at, seq) WHERE finished_at IS NULL;
CREATE INDEX uploads_spotted ON uploads (spotted_at, seq);
CREATE INDEX uploads_by_file ON uploads (channel, filename, seq);
CREATE INDEX uploads_prunable ON uploads (finished_at)
    WHERE finished_at IS NOT NULL AND place NOT IN ('archive', 'quarantine');
-- For lists of the verdicts that people look for.
CREATE INDEX uploads_remarkable ON uploads (spotted_at, seq) WHERE verdict NOT IN ('', 'accepted');
CREATE INDEX uploads_stored ON uploads (place, id) WHERE place IN ('archive', 'quarantine');

-- +goose StatementBegin
CREATE TRIGGER uploads_fence_never_shrinks BEFORE UPDATE OF fence ON uploads
WHEN NEW.fence < OLD.fence
BEGIN
    SELECT RAISE(ABORT, 'fence never shrinks');
END;
-- +goose StatementEnd

-- One row for every change; written once.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    upload_id  TEXT    NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    channel    TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    name       TEXT    NOT NULL CONSTRAINT event_is_named CHECK (name <> ''),
    from_state TEXT    NOT NULL CONSTRAINT from_is_known CHECK ((from_state = '' OR from_state = 'spotted' OR from_state = 'settled' OR from_state = 'validated' OR
                     from_state = 'packed' OR from_state = 'sent' OR from_state = 'decided' OR from_state = 'retired' OR
                     from_state = 'failed' OR from_state = 'cancelled' OR from_state = 'vanished' OR from_state = 'superseded')),
    to_state   TEXT    NOT NULL CONSTRAINT to_is_known CHECK ((to_state = 'spotted' OR to_state = 'settled' OR to_state = 'validated' OR to_state = 'packed' OR
                     to_state = 'sent' OR to_state = 'decided' OR to_state = 'retired' OR to_state = 'failed' OR
                     to_state = 'cancelled' OR to_state = 'vanished' OR to_state = 'superseded')),
    verdict    TEXT    NOT NULL,
    reason     TEXT    NOT NULL REFERENCES reasons (reason),
    detail     TEXT    NOT NULL,
    attempt    INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_upload ON events (upload_id, seq);

-- +goose StatementBegin
CREATE TRIGGER events_are_written_once BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are written once');
END;
-- +goose StatementEnd

-- The findings kept one by one; uploads counts them all.
CREATE TABLE findings (
    upload_id   TEXT    NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    n           INTEGER NOT NULL CONSTRAINT n_counts_from_one CHECK (n > 0),
    severity    TEXT    NOT NULL CONSTRAINT severity_is_known CHECK ((severity = 'fatal' OR severity = 'error' OR severity = 'warning')),
    rule        TEXT    NOT NULL CONSTRAINT rule_is_named CHECK (rule <> ''),
    row_no      INTEGER NOT NULL CONSTRAINT row_is_counted CHECK (row_no >= 0),
    column_code TEXT    NOT NULL,
    params      TEXT    NOT NULL CONSTRAINT params_are_json CHECK (params = '' OR json_valid(params)),
    PRIMARY KEY (upload_id, n)
) STRICT, WITHOUT ROWID;

-- Every ticket a server ever issued, and how far it got. Tokens are secrets.
CREATE TABLE tickets (
    n             INTEGER PRIMARY KEY AUTOINCREMENT,
    upload_id     TEXT    NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    channel       TEXT    NOT NULL,
    digest        TEXT    NOT NULL,
    token         TEXT    NOT NULL,
    url           TEXT    NOT NULL,
    ticket_offset INTEGER NOT NULL,
    issued_at     INTEGER,
    fate          TEXT    NOT NULL CONSTRAINT ticket_fate_is_known CHECK ((fate = '' OR fate = 'untouched' OR fate = 'broken' OR fate = 'maybe' OR fate = 'answered')),
    UNIQUE (upload_id, token, url)
) STRICT;
CREATE INDEX tickets_by_content ON tickets (channel, digest, n);

-- What the server has of uploads that were pruned; kept for good.
CREATE TABLE delivered (
    channel   TEXT    NOT NULL,
    digest    TEXT    NOT NULL,
    upload_id TEXT    NOT NULL,
    verdict   TEXT    NOT NULL CONSTRAINT delivered_is_at_server CHECK ((verdict = 'accepted' OR verdict = 'duplicate' OR verdict = 'partially_accepted')),
    at        INTEGER NOT NULL,
    PRIMARY KEY (channel, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE last_accepted (
    channel   TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    upload_id TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (channel, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE channels (
    channel         TEXT    NOT NULL PRIMARY KEY,
    state           TEXT    NOT NULL,
    reason          TEXT    NOT NULL REFERENCES reasons (reason),
    detail          TEXT    NOT NULL,
    paused          INTEGER NOT NULL CONSTRAINT paused_is_yes_or_no CHECK (paused IN (0, 1)),
    paused_by       TEXT    NOT NULL,
    paused_at       INTEGER,
    refused_since   INTEGER,
    next_probe_at   INTEGER,
    refusals_today  INTEGER NOT NULL CONSTRAINT refusals_are_counted CHECK (refusals_today >= 0),
    refusal_day     TEXT    NOT NULL,
    credential_hash TEXT    NOT NULL,
    updated_at      INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
