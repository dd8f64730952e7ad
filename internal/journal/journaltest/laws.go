package journaltest

import (
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// law is a statement that must be refused, and the constraint that must refuse
// it: one of the names of which the database's error holds one.
type law struct {
	names string // separated by "|"
	state upload.State
	try   string // ? is the upload's id, once
}

// Laws names every constraint that the suite proves.
func Laws() []string {
	var all []string
	for _, l := range laws {
		all = append(all, strings.Split(l.names, "|")...)
	}
	return all
}

func set(assignments string) string { return `UPDATE uploads SET ` + assignments + ` WHERE id = ?` }

func event(column, value string) string {
	row := map[string]string{"name": "'n'", "from_state": "''", "to_state": "'spotted'", "reason": "''"}
	row[column] = value
	return `INSERT INTO events (upload_id, channel, at, name, from_state, to_state, verdict, reason, detail, attempt)
		VALUES (?, 'flu', 1, ` + row["name"] + `, ` + row["from_state"] + `, ` + row["to_state"] + `, '', ` + row["reason"] + `, '', 0)`
}

func finding(n, severity, rule, row, params string) string {
	return `INSERT INTO findings (upload_id, n, severity, rule, row_no, column_code, params)
		VALUES (?, ` + n + `, ` + severity + `, ` + rule + `, ` + row + `, '', ` + params + `)`
}

func channelRow(reason, paused, refusals string) string {
	return `INSERT INTO channels (channel, state, reason, detail, paused, paused_by, refusals_today, refusal_day, credential_hash)
		VALUES (?, '', ` + reason + `, '', ` + paused + `, '', ` + refusals + `, '', '')`
}

const (
	open     = upload.StateSettled
	packed   = upload.StatePacked
	sent     = upload.StateSent
	decided  = upload.StateDecided
	retired  = upload.StateRetired
	examined = upload.StateValidated
)

var laws = []law{
	{"id_is_a_uuid", open, set(`id = 'x'`)},
	{"uploads.id|uploads_id_key", open, set(`id = (SELECT id FROM uploads WHERE filename = 'other.csv')`)},
	{"channel_is_named", open, set(`channel = ''`)},
	{"filename_is_a_name", open, set(`filename = ''`)},
	{"filename_is_a_name", open, set(`filename = 'a/b.csv'`)},
	{"digest_names_its_kind", open, set(`digest = 'md5:1'`)},
	{"rows_are_counted", open, set(`data_rows = -1`)},
	{"charset_is_known", open, set(`charset = 'latin1'`)},
	{"packed_size_is_counted", open, set(`packed_size = -1`)},
	{"packed_digest_names_its_kind", open, set(`packed_digest = 'md5:1'`)},
	{"state_is_known", open, set(`state = 'running', lease_owner = NULL, lease_until = NULL`)},
	{"verdict_is_known", decided, set(`verdict = 'fine'`)},
	{"FOREIGN KEY|uploads_reason_fkey", open, set(`reason = 'because'`)},
	{"attempt_is_counted", open, set(`attempt = -1`)},
	{"polls_are_counted", open, set(`polls = -1`)},
	{"resume_at_is_open", open, set(`state = 'failed', resume_at = 'retired', lease_owner = NULL, lease_until = NULL`)},
	{"forced_is_yes_or_no|forced", open, set(`forced = 2`)},
	{"offset_is_counted", open, set(`ticket_offset = -1`)},
	{"fate_is_known", open, set(`ticket_fate = 'sealed'`)},
	{"unknowns_are_counted", open, set(`ticket_unknowns = -1`)},
	{"receipt_is_json", open, set(`receipt = '{'`)},
	{"fatal_is_counted", open, set(`findings_fatal = -1`)},
	{"error_is_counted", open, set(`findings_error = -1`)},
	{"warning_is_counted", open, set(`findings_warning = -1`)},
	{"place_is_known", open, set(`place = 'drawer'`)},
	{"trace_is_given", open, set(`trace_id = ''`)},
	{"root_span_is_given", open, set(`root_span_id = ''`)},
	{"owner_is_named", open, set(`lease_owner = ''`)},
	{"fence never shrinks", open, set(`fence = fence - 1`)},

	{"verdict_exactly_when_decided", open, set(`verdict = 'accepted'`)},
	{"verdict_exactly_when_decided", sent, set(`verdict = 'unresolved'`)},
	{"verdict_exactly_when_decided", decided, set(`verdict = ''`)},
	{"verdict_exactly_when_decided", retired, set(`verdict = ''`)},
	{"verdict_exactly_when_decided", open, set(`state = 'vanished', verdict = 'rejected', finished_at = 1, lease_owner = NULL, lease_until = NULL`)},
	{"verdict_exactly_when_decided", sent, set(`state = 'failed', verdict = 'accepted', resume_at = 'sent', lease_owner = NULL, lease_until = NULL`)},
	{"verdict_exactly_when_decided", decided, set(`state = 'failed', verdict = '', resume_at = 'decided', lease_owner = NULL, lease_until = NULL`)},
	{"finished_exactly_when_final", open, set(`finished_at = 1`)},
	{"finished_exactly_when_final", retired, set(`finished_at = NULL`)},
	{"finished_exactly_when_final", open, set(`state = 'failed', resume_at = 'settled', finished_at = 1, lease_owner = NULL, lease_until = NULL`)},
	{"failed_knows_where_to_resume", open, set(`resume_at = 'settled'`)},
	{"failed_knows_where_to_resume", open, set(`state = 'failed', lease_owner = NULL, lease_until = NULL`)},
	{"open_has_a_next_attempt", open, set(`next_attempt_at = NULL`)},
	{"examined_has_a_digest", examined, set(`digest = ''`)},
	{"examined_has_a_digest", retired, set(`digest = '', content_key = NULL`)},
	{"sent_has_its_time", sent, set(`sent_at = NULL`)},
	{"content_is_held_while_sent", packed, set(`content_key = NULL`)},
	{"content_is_held_while_sent", sent, set(`content_key = NULL`)},
	{"content_is_held_from_packed_on", examined, set(`content_key = digest`)},
	{"content_is_the_digest", packed, set(`content_key = 'sha-256:other'`)},
	{"lease_is_whole", open, set(`lease_owner = NULL`)},
	{"lease_is_whole", open, set(`lease_until = NULL`)},
	{"lease_has_a_fence", open, `UPDATE uploads SET lease_owner = 'x', lease_until = 1 WHERE id <> ? AND filename = 'other.csv'`},
	{"lease_on_open_only", retired, set(`lease_owner = 'x', lease_until = 1`)},
	{"lease_on_open_only", open, set(`state = 'failed', resume_at = 'settled'`)},
	{"uploads.channel, uploads.filename|uploads_one_open_per_file", open, set(`filename = 'other.csv'`)},
	{"uploads.channel, uploads.content_key|uploads_one_holder_per_content", retired, set(`digest = 'sha-256:held', content_key = 'sha-256:held'`)},

	{"event_is_named", open, event("name", `''`)},
	{"from_is_known", open, event("from_state", `'x'`)},
	{"to_is_known", open, event("to_state", `''`)},
	{"FOREIGN KEY|events_reason_fkey", open, event("reason", `'because'`)},
	{"FOREIGN KEY|events_upload_id_fkey", open, strings.Replace(event("name", `'n'`), "VALUES (?", "VALUES ('nobody' || ?", 1)},
	{"events are written once", open, `UPDATE events SET name = 'other' WHERE upload_id = ?`},
	{"n_counts_from_one", open, finding("0", "'error'", "'R'", "1", "''")},
	{"severity_is_known", open, finding("1", "'dreadful'", "'R'", "1", "''")},
	{"rule_is_named", open, finding("1", "'error'", "''", "1", "''")},
	{"row_is_counted", open, finding("1", "'error'", "'R'", "-1", "''")},
	{"params_are_json", open, finding("1", "'error'", "'R'", "1", "'{'")},
	{"findings.upload_id, findings.n|findings_pkey", examined, finding("1", "'error'", "'R'", "1", "''")},
	{"ticket_fate_is_known", sent, `UPDATE tickets SET fate = 'sealed' WHERE upload_id = ?`},
	{"delivered_is_at_server", open, `INSERT INTO delivered (channel, digest, upload_id, verdict, at) VALUES ('flu', 'd', ?, 'unresolved', 1)`},
	{"FOREIGN KEY|channels_reason_fkey", open, channelRow(`'because'`, `FALSE`, `0`)},
	{"paused_is_yes_or_no|paused", open, channelRow(`''`, `2`, `0`)},
	{"refusals_are_counted", open, channelRow(`''`, `FALSE`, `-1`)},
	{"alert_key_is_given", open, alertRow(`''`, `'warning'`, `1`)},
	{"alert_severity_is_known", open, alertRow(`'k'`, `'dreadful'`, `1`)},
	{"alert_occurrences_are_counted", open, alertRow(`'k'`, `'warning'`, `0`)},
	{"alert_result_is_known", open, `INSERT INTO alert_deliveries (alert_id, at, notice, result, detail, attempt) VALUES (?, 1, '', 'lost', '', 0)`},
}

func alertRow(key, severity, occurrences string) string {
	return `INSERT INTO alerts (id, alert_key, event, severity, channel, kind, subject, params, files, occurrences, settled, opened_at, updated_at,
		acknowledged_by, attempt, last_error, deliveries, told, fence)
		VALUES (?, ` + key + `, 'e', ` + severity + `, '', '', '', '{}', '[]', ` + occurrences + `, 0, 1, 1, '', 0, '', 0, 0, 0)`
}

func runLaws(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.bring("holder.csv", digest("held"), upload.StatePacked)
	// One upload in each state, leased while it is open, and a fresh one beside.
	in := map[upload.State]upload.Upload{}
	for _, s := range append(upload.OpenStates(), upload.StateRetired) {
		in[s] = f.bring("in_"+string(s)+".csv", digest(string(s)), s)
	}
	f.spot("other.csv")
	for _, l := range laws {
		t.Run(strings.NewReplacer("/", " ", "\n", " ").Replace(l.names+": "+l.try), func(t *testing.T) {
			u := in[l.state]
			_, err := f.j.DB().ExecContext(t.Context(), f.j.Rebind(l.try), u.ID)
			if err == nil {
				t.Fatalf("not refused, in state %s", l.state)
			}
			for _, name := range strings.Split(l.names, "|") {
				if strings.Contains(err.Error(), name) {
					return
				}
			}
			t.Fatalf("refused, but by another law: %v", err)
		})
	}
	for s, want := range in {
		got, err := f.j.Get(f.ctx, want.ID)
		f.must(err)
		want.Fence = 0
		f.same("the upload in "+string(s), got, want)
	}
	p, err := f.j.List(f.ctx, journal.Filter{Channels: []upload.Channel{upload.HQMS}}, "", 0)
	f.must(err)
	f.same("strays", len(p.Uploads), 0)
}
