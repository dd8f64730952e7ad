package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

// startBudget is how long a start may take, however long the journal is.
const startBudget = 2 * time.Second

// TestStoppedInTheMiddleOfALongUploadItEndsInTimeAndGoesOnLater: SIGTERM while
// the server takes no bytes any more.
func TestStoppedInTheMiddleOfALongUploadItEndsInTimeAndGoesOnLater(t *testing.T) {
	t.Parallel()
	for label, fault := range map[string]sandbox.Fault{
		"trickle": {Step: "upload", Kind: "slow", Rate: 50},
		"hang":    {Step: "upload", Kind: "hang", Delay: sandboxDuration(time.Hour)},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			r, srv, digest, id := stuck(t, fault)
			began := time.Now()
			if err := r.proc.Terminate(); err != nil {
				t.Errorf("ended with %v", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v to stop, far from the grace of a container", took)
			}
			srv.heal()
			r.start()
			u := r.endsWith("flu_long.csv", "accepted")
			if u.ID != id {
				t.Errorf("another upload has done it")
			}
			srv.mustHave(digest, 1, 1)
			r.mustBeOnlyAt(u, digest, "archive")
		})
	}
}

// stuck brings an upload to where the server does not answer.
func stuck(t *testing.T, fault sandbox.Fault) (*rig, *server, string, string) {
	t.Helper()
	srv := newServer(t)
	number := srv.fault(fault)
	r := newRig(t, srv)
	r.start()
	digest := drop(t, r.flu, "flu_long.csv", good(t))
	eventually(t, "the upload hangs at the server", func() bool { return srv.struck(number) > 0 })
	return r, srv, digest, r.upload("flu_long.csv").ID
}

// TestASecondSignalEndsAtOnce: a call that does not end holds the orderly stop
// up for some seconds; whoever is impatient need not wait.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, newServer(t))
	r.start()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /uploads/trigger HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", operatorToken)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the call is not under way: %q, %v", line, err)
	}
	_ = r.proc.Signal(syscall.SIGTERM)
	eventually(t, "it stops in order", func() bool { return strings.Contains(r.proc.Out.String(), `"msg":"stopping"`) })
	_ = r.proc.Signal(syscall.SIGTERM)
	if code := r.proc.Exit(); code != 128+int(syscall.SIGTERM) {
		t.Errorf("it ended with %d, in order: the second signal was not heard", code)
	}
}

// TestALongJournalDoesNotDelayTheStart uses 100,000 finished uploads; a million
// with HQMS_MILLION set.
func TestALongJournalDoesNotDelayTheStart(t *testing.T) {
	t.Parallel()
	rows := 100_000
	if underRace {
		rows = 10_000
	}
	if os.Getenv("HQMS_MILLION") != "" {
		rows = 1_000_000
	}
	srv := newServer(t)
	r, empty := newRig(t, srv), newRig(t, srv)
	fillJournal(t, r.state, rows)
	took, yardstick := readyAfter(t, r), readyAfter(t, empty)
	t.Logf("%d uploads in the journal: ready after %v, with none after %v", rows, took, yardstick)
	if took > startBudget && took > 3*yardstick { // a busy machine is no fault of the journal's
		t.Errorf("ready after %v, want %v at most, or three times the %v that it takes with none", took, startBudget, yardstick)
	}
	digest := drop(t, r.flu, "flu_after.csv", good(t))
	r.endsWith("flu_after.csv", "accepted")
	srv.mustHave(digest, 1, 1)
}

// readyAfter starts the sidecar and gives how long it takes until it is ready.
func readyAfter(t *testing.T, r *rig) time.Duration {
	t.Helper()
	began := time.Now()
	r.launch()
	eventually(t, "the sidecar is ready", func() bool { return r.call("GET", "/readyz", nil, nil) == 200 })
	return time.Since(began)
}

// fillJournal makes a journal of so many accepted and archived uploads, each
// with three events, by copying one.
func fillJournal(t *testing.T, state string, rows int) {
	t.Helper()
	j, err := sqlite.Open(t.Context(), state, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	now := time.Now().UnixNano()
	for _, query := range []string{
		`INSERT INTO uploads (id, batch_id, channel, kind, filename, source_inode, source_size, source_mod_time, source_change_time,
			digest, data_rows, charset, standard, packed_size, packed_digest, state, verdict, verdict_reason, reason, detail, attempt, polls,
			resume_at, forced, replaces_id, content_key, ticket_token, ticket_url, ticket_offset, ticket_issued_at, ticket_fate, ticket_unknowns,
			findings_fatal, findings_error, findings_warning, place, path, spotted_at, updated_at, sent_at, finished_at, trace_id, root_span_id)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		SELECT printf('%%08x-0000-7000-8000-%%012x', i, i), 'batch', 'flu', 'flu', printf('flu_%%d.csv', i), i, 1000, %[2]d, %[2]d,
			printf('sha-256:%%064x', i), 3, 'utf-8', 'flu-2.6', 500, printf('sha-256:%%064x', -i), 'retired', 'accepted', '', '', '', 0, 2,
			'', 0, '', printf('sha-256:%%064x', i), printf('token-%%d', i), '', 0, %[2]d, 'answered', 0,
			0, 0, 0, 'archive', printf('archive/flu/2026-01-01/%%08x-0000-7000-8000-%%012x/flu_%%d.csv', i, i, i), %[2]d - i, %[2]d, %[2]d, %[2]d, printf('%%032x', i), printf('%%016x', i)
		FROM n`,
		`INSERT INTO events (upload_id, channel, at, name, from_state, to_state, verdict, reason, detail, attempt)
		SELECT id, channel, spotted_at, 'spotted', '', 'spotted', '', '', '', 0 FROM uploads`,
		`INSERT INTO events (upload_id, channel, at, name, from_state, to_state, verdict, reason, detail, attempt)
		SELECT id, channel, finished_at, 'retired', 'decided', 'retired', 'accepted', '', '', 0 FROM uploads`,
	} {
		if query[12:19] == "uploads" {
			query = fmt.Sprintf(query, rows, now)
		}
		if _, err := j.DB().ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
}
