-- +goose Up

-- The schema of the SQLite journal, said in PostgreSQL's words, and three things
-- more that several replicas need: event numbers in the order of commit, word to
-- the others of every change, and which releases may share the schema (meta).
-- Text that is compared in order is of collation "C": as Go compares.

-- +goose StatementBegin
CREATE FUNCTION hqms_is_json(t TEXT) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM t::json;
    RETURN TRUE;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN FALSE;
END
$$;
-- +goose StatementEnd

-- The closed set of reasons, filled at every start; see syncReasons.
CREATE TABLE reasons (
    reason TEXT NOT NULL PRIMARY KEY
);

-- One row for every upload. Times are nanoseconds since the Unix epoch.
CREATE TABLE uploads (
    seq                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order of spotting, whatever the clock does
    id                   TEXT COLLATE "C" NOT NULL UNIQUE CONSTRAINT id_is_a_uuid CHECK (length(id) = 36),
    batch_id             TEXT    NOT NULL,
    channel              TEXT COLLATE "C" NOT NULL CONSTRAINT channel_is_named CHECK (channel <> ''),
    kind                 TEXT COLLATE "C" NOT NULL,
    filename             TEXT COLLATE "C" NOT NULL CONSTRAINT filename_is_a_name CHECK (filename <> '' AND strpos(filename, '/') = 0),

    source_inode         BIGINT  NOT NULL,
    source_size          BIGINT  NOT NULL,
    source_mod_time      BIGINT  NOT NULL,
    source_change_time   BIGINT  NOT NULL,
    digest               TEXT COLLATE "C" NOT NULL CONSTRAINT digest_names_its_kind CHECK (digest = '' OR digest LIKE 'sha-256:%'),
    data_rows            BIGINT  NOT NULL CONSTRAINT rows_are_counted CHECK (data_rows >= 0),
    charset              TEXT    NOT NULL CONSTRAINT charset_is_known CHECK (charset IN ('', 'utf-8', 'gb18030')),
    standard             TEXT    NOT NULL,
    packed_size          BIGINT  NOT NULL CONSTRAINT packed_size_is_counted CHECK (packed_size >= 0),
    packed_digest        TEXT    NOT NULL CONSTRAINT packed_digest_names_its_kind CHECK (packed_digest = '' OR packed_digest LIKE 'sha-256:%'),

    state                TEXT    NOT NULL CONSTRAINT state_is_known CHECK (state IN (
                             'spotted', 'settled', 'validated', 'packed', 'sent', 'decided', 'retired',
                             'failed', 'cancelled', 'vanished', 'superseded')),
    verdict              TEXT    NOT NULL CONSTRAINT verdict_is_known CHECK (verdict IN (
                             '', 'accepted', 'partially_accepted', 'rejected', 'duplicate', 'invalid', 'unresolved')),
    verdict_reason       TEXT    NOT NULL REFERENCES reasons (reason),
    reason               TEXT    NOT NULL REFERENCES reasons (reason),
    detail               TEXT    NOT NULL,
    attempt              BIGINT  NOT NULL CONSTRAINT attempt_is_counted CHECK (attempt >= 0),
    polls                BIGINT  NOT NULL CONSTRAINT polls_are_counted CHECK (polls >= 0),
    resume_at            TEXT    NOT NULL CONSTRAINT resume_at_is_open CHECK (resume_at IN (
                             '', 'spotted', 'settled', 'validated', 'packed', 'sent', 'decided')),
    forced               BOOLEAN NOT NULL,
    replaces_id          TEXT    NOT NULL, -- may have been pruned

    content_key          TEXT COLLATE "C",
    ticket_token         TEXT    NOT NULL,
    ticket_url           TEXT    NOT NULL,
    ticket_offset        BIGINT  NOT NULL CONSTRAINT offset_is_counted CHECK (ticket_offset >= 0),
    ticket_issued_at     BIGINT,
    ticket_fate          TEXT    NOT NULL CONSTRAINT fate_is_known CHECK (ticket_fate IN ('', 'untouched', 'broken', 'maybe', 'answered')),
    ticket_unknowns      BIGINT  NOT NULL CONSTRAINT unknowns_are_counted CHECK (ticket_unknowns >= 0),
    ticket_unknown_since BIGINT,
    receipt              TEXT    CONSTRAINT receipt_is_json CHECK (receipt IS NULL OR hqms_is_json(receipt)),
    findings_fatal       BIGINT  NOT NULL CONSTRAINT fatal_is_counted CHECK (findings_fatal >= 0),
    findings_error       BIGINT  NOT NULL CONSTRAINT error_is_counted CHECK (findings_error >= 0),
    findings_warning     BIGINT  NOT NULL CONSTRAINT warning_is_counted CHECK (findings_warning >= 0),

    place                TEXT    NOT NULL CONSTRAINT place_is_known CHECK (place IN ('watch', 'archive', 'quarantine', 'deleted', 'gone', 'expired')),
    path                 TEXT    NOT NULL,

    spotted_at           BIGINT  NOT NULL,
    updated_at           BIGINT  NOT NULL,
    next_attempt_at      BIGINT,
    sent_at              BIGINT,
    finished_at          BIGINT,

    trace_id             TEXT    NOT NULL CONSTRAINT trace_is_given CHECK (length(trace_id) = 32),
    root_span_id         TEXT    NOT NULL CONSTRAINT root_span_is_given CHECK (length(root_span_id) = 16),

    lease_owner          TEXT    CONSTRAINT owner_is_named CHECK (lease_owner <> ''),
    lease_until          BIGINT,
    fence                BIGINT  NOT NULL DEFAULT 0,

    CONSTRAINT verdict_exactly_when_decided CHECK (CASE
        WHEN state IN ('decided', 'retired') THEN verdict <> ''
        WHEN state = 'failed' THEN (verdict <> '') = (resume_at = 'decided')
        WHEN state = 'cancelled' THEN TRUE
        ELSE verdict = '' END),
    CONSTRAINT finished_exactly_when_final CHECK (
        (finished_at IS NOT NULL) = (state IN ('retired', 'cancelled', 'vanished', 'superseded'))),
    CONSTRAINT failed_knows_where_to_resume CHECK ((state = 'failed') = (resume_at <> '')),
    CONSTRAINT open_has_a_next_attempt CHECK (
        next_attempt_at IS NOT NULL OR state NOT IN ('spotted', 'settled', 'validated', 'packed', 'sent', 'decided')),
    CONSTRAINT examined_has_a_digest CHECK (digest <> '' OR state NOT IN ('validated', 'packed', 'sent', 'decided', 'retired')),
    CONSTRAINT sent_has_its_time CHECK (sent_at IS NOT NULL OR state <> 'sent'),
    CONSTRAINT content_is_held_while_sent CHECK (content_key IS NOT NULL OR state NOT IN ('packed', 'sent')),
    CONSTRAINT content_is_held_from_packed_on CHECK (
        content_key IS NULL OR state NOT IN ('spotted', 'settled', 'validated', 'vanished', 'superseded')),
    CONSTRAINT content_is_the_digest CHECK (content_key IS NULL OR content_key = digest),
    CONSTRAINT lease_is_whole CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CONSTRAINT lease_has_a_fence CHECK (lease_owner IS NULL OR fence > 0),
    CONSTRAINT lease_on_open_only CHECK (
        lease_owner IS NULL OR state IN ('spotted', 'settled', 'validated', 'packed', 'sent', 'decided'))
);

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
CREATE FUNCTION hqms_refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_ARGV[0];
END
$$;
-- +goose StatementEnd
CREATE TRIGGER uploads_fence_never_shrinks BEFORE UPDATE OF fence ON uploads
    FOR EACH ROW WHEN (NEW.fence < OLD.fence) EXECUTE FUNCTION hqms_refuse('fence never shrinks');

-- One row for every change; written once.
CREATE TABLE events (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never used again
    upload_id  TEXT COLLATE "C" NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    channel    TEXT COLLATE "C" NOT NULL,
    at         BIGINT  NOT NULL,
    name       TEXT    NOT NULL CONSTRAINT event_is_named CHECK (name <> ''),
    from_state TEXT    NOT NULL CONSTRAINT from_is_known CHECK (from_state IN (
                   '', 'spotted', 'settled', 'validated', 'packed', 'sent', 'decided', 'retired',
                   'failed', 'cancelled', 'vanished', 'superseded')),
    to_state   TEXT    NOT NULL CONSTRAINT to_is_known CHECK (to_state IN (
                   'spotted', 'settled', 'validated', 'packed', 'sent', 'decided', 'retired',
                   'failed', 'cancelled', 'vanished', 'superseded')),
    verdict    TEXT    NOT NULL,
    reason     TEXT    NOT NULL REFERENCES reasons (reason),
    detail     TEXT    NOT NULL,
    attempt    BIGINT  NOT NULL
);
CREATE INDEX events_by_upload ON events (upload_id, seq);

CREATE TRIGGER events_are_written_once BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION hqms_refuse('events are written once');

-- Who reads events goes on from the last number seen, so that a number must not
-- appear below one that can already be read. A sequence alone gives numbers in
-- the order of asking; this lock, held until the commit, makes it the order of
-- commits. An event is the last thing a transaction writes.
-- +goose StatementBegin
CREATE FUNCTION hqms_in_turn() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(TG_RELID::oid::int, 0);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER events_in_turn BEFORE INSERT ON events
    FOR EACH STATEMENT EXECUTE FUNCTION hqms_in_turn();

-- Word to the other replicas: the name of the notification is made of the schema's
-- number, its text says who caused it (hqms.origin, set by each connection).
-- +goose StatementBegin
CREATE FUNCTION hqms_tell() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('hqms_' || (SELECT oid FROM pg_namespace WHERE nspname = TG_TABLE_SCHEMA), coalesce(current_setting('hqms.origin', TRUE), ''));
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER events_tell AFTER INSERT ON events
    FOR EACH STATEMENT EXECUTE FUNCTION hqms_tell();
-- Neither a claim nor a renewal is news: only what has become free or due earlier.
CREATE TRIGGER uploads_tell AFTER UPDATE OF lease_owner, next_attempt_at ON uploads
    FOR EACH ROW WHEN (OLD.lease_owner IS NOT NULL AND NEW.lease_owner IS NULL OR NEW.next_attempt_at < OLD.next_attempt_at)
    EXECUTE FUNCTION hqms_tell();

-- The findings kept one by one; uploads counts them all.
CREATE TABLE findings (
    upload_id   TEXT COLLATE "C" NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    n           BIGINT  NOT NULL CONSTRAINT n_counts_from_one CHECK (n > 0),
    severity    TEXT    NOT NULL CONSTRAINT severity_is_known CHECK (severity IN ('fatal', 'error', 'warning')),
    rule        TEXT    NOT NULL CONSTRAINT rule_is_named CHECK (rule <> ''),
    row_no      BIGINT  NOT NULL CONSTRAINT row_is_counted CHECK (row_no >= 0),
    column_code TEXT    NOT NULL,
    params      TEXT    NOT NULL CONSTRAINT params_are_json CHECK (params = '' OR hqms_is_json(params)),
    PRIMARY KEY (upload_id, n)
);

-- Every ticket a server ever issued, and how far it got. Tokens are secrets.
CREATE TABLE tickets (
    n             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upload_id     TEXT COLLATE "C" NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    channel       TEXT COLLATE "C" NOT NULL,
    digest        TEXT COLLATE "C" NOT NULL,
    token         TEXT    NOT NULL,
    url           TEXT    NOT NULL,
    ticket_offset BIGINT  NOT NULL,
    issued_at     BIGINT,
    fate          TEXT    NOT NULL CONSTRAINT ticket_fate_is_known CHECK (fate IN ('', 'untouched', 'broken', 'maybe', 'answered')),
    UNIQUE (upload_id, token, url)
);
CREATE INDEX tickets_by_content ON tickets (channel, digest, n);

-- What the server has of uploads that were pruned; kept for good.
CREATE TABLE delivered (
    channel   TEXT COLLATE "C" NOT NULL,
    digest    TEXT COLLATE "C" NOT NULL,
    upload_id TEXT COLLATE "C" NOT NULL,
    verdict   TEXT    NOT NULL CONSTRAINT delivered_is_at_server CHECK (verdict IN ('accepted', 'duplicate', 'partially_accepted')),
    at        BIGINT  NOT NULL,
    PRIMARY KEY (channel, digest)
);

CREATE TABLE last_accepted (
    channel   TEXT COLLATE "C" NOT NULL,
    kind      TEXT COLLATE "C" NOT NULL,
    upload_id TEXT COLLATE "C" NOT NULL,
    at        BIGINT  NOT NULL,
    PRIMARY KEY (channel, kind)
);

CREATE TABLE channels (
    channel         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    state           TEXT    NOT NULL,
    reason          TEXT    NOT NULL REFERENCES reasons (reason),
    detail          TEXT    NOT NULL,
    paused          BOOLEAN NOT NULL,
    paused_by       TEXT    NOT NULL,
    paused_at       BIGINT,
    refused_since   BIGINT,
    next_probe_at   BIGINT,
    refusals_today  BIGINT  NOT NULL CONSTRAINT refusals_are_counted CHECK (refusals_today >= 0),
    refusal_day     TEXT    NOT NULL,
    credential_hash TEXT    NOT NULL,
    updated_at      BIGINT
);

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TRIGGER channels_tell AFTER INSERT OR UPDATE ON channels
    FOR EACH STATEMENT EXECUTE FUNCTION hqms_tell();

-- The oldest schema that a release must know to work with this one. A migration
-- that older releases cannot live with raises it; additions leave it alone.
INSERT INTO meta (name, value) VALUES ('schema_readable_from', '1');
