package e2e

import (
	"slices"
	"testing"
)

type looked struct {
	Items []struct {
		Filename, Reason string
		Taken            bool
		UploadID         string `json:"upload_id"`
	}
}

func (r *rig) trigger(body map[string]any) looked {
	r.t.Helper()
	var l looked
	if code := r.call("POST", "/uploads/trigger", body, &l); code != 202 {
		r.t.Fatalf("trigger: status %d", code)
	}
	return l
}

func TestTheSameContentUnderTwoNamesIsAcceptedOnceAndADuplicateOnce(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-accept-duplicates") // the sidecar's own care
	r := newRig(t, srv)
	r.start()
	content := good(t)
	drop(t, r.flu, "flu_1.csv", content)
	digest := drop(t, r.flu, "flu_2.csv", content)
	one, two := r.ended("flu_1.csv"), r.ended("flu_2.csv")
	verdicts := []string{one.Verdict, two.Verdict}
	if slices.Sort(verdicts); !slices.Equal(verdicts, []string{"accepted", "duplicate"}) {
		t.Errorf("verdicts %v", verdicts)
	}
	srv.mustHave(digest, 1, 1)
	drop(t, r.flu, "flu_3.csv", content) // and later
	if u := r.endsWith("flu_3.csv", "duplicate"); u.Reason != "delivered_before" {
		t.Errorf("reason %s", u.Reason)
	}
	srv.mustHave(digest, 1, 1)
}

func TestWhatTheServerHasFromElsewhereIsADuplicate(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	content := good(t)
	for range 2 { // two sidecars that know nothing of each other
		r := newRig(t, srv)
		r.start()
		drop(t, r.flu, "flu_1.csv", content)
		r.ended("flu_1.csv")
		check(t, r.proc.Terminate())
	}
	srv.mustHave(digestOf(content), 2, 1)
}

func TestAPauseLastsOverRestartsAndACancelledFileIsTakenAgainWhenForced(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	if code := r.call("POST", "/channels/flu/pause", nil, nil); code != 200 {
		t.Fatalf("pause: status %d", code)
	}
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	other := drop(t, r.flu, "flu_2.csv", good(t))
	r.until("flu_1.csv", "waits", func(u row) bool { return u.State == "packed" && u.Reason == "channel_paused" })
	check(t, r.proc.Terminate())
	r.start()
	if c := r.channel("flu"); c.State != "paused" || c.PausedBy == "" {
		t.Errorf("after a restart the channel is %s, paused by %q", c.State, c.PausedBy)
	}
	first := r.until("flu_1.csv", "waits", func(u row) bool { return u.State == "packed" && u.Reason == "channel_paused" })
	r.act(first.ID, "cancel")
	if u := r.ended("flu_1.csv"); u.State != "cancelled" || u.Place != "watch" {
		t.Errorf("cancelled: state %s, place %s", u.State, u.Place)
	}
	r.mustBeOnlyAt(r.upload("flu_1.csv"), digest, "watch")
	if code := r.call("POST", "/uploads/"+first.ID+"/cancel", nil, nil); code != 409 {
		t.Errorf("cancelled twice: status %d", code)
	}
	ask := map[string]any{"channel": "flu", "files": []string{"flu_1.csv"}, "dry_run": true}
	if l := r.trigger(ask); len(l.Items) != 1 || l.Items[0].Taken || l.Items[0].Reason != "already_known" {
		t.Errorf("asked without force: %+v", l)
	}
	ask["force"] = true
	if l := r.trigger(ask); len(l.Items) != 1 || !l.Items[0].Taken {
		t.Errorf("asked with force: %+v", l)
	}
	if n := len(r.uploads("flu_1.csv")); n != 1 {
		t.Errorf("a question began an upload: %d", n)
	}
	delete(ask, "dry_run")
	r.trigger(ask)
	r.call("POST", "/channels/flu/resume", nil, nil)
	u := r.endsWith("flu_1.csv", "accepted")
	if u.ID == first.ID {
		t.Error("the cancelled upload went on")
	}
	r.endsWith("flu_2.csv", "accepted")
	srv.mustHave(digest, 1, 1)
	srv.mustHave(other, 1, 1)
}

func TestARestoredOriginalIsKnownAndNotSentAgain(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-accept-duplicates")
	r := newRig(t, srv)
	r.start()
	content := good(t)
	drop(t, r.flu, "flu_1.csv", content)
	first := r.endsWith("flu_1.csv", "accepted")
	r.act(first.ID, "restore")
	u := r.until("flu_1.csv", "comes again", func(u row) bool { return u.ID != first.ID && u.over() })
	if u.Verdict != "duplicate" {
		t.Errorf("verdict %s", u.Verdict)
	}
	srv.mustHave(digestOf(content), 1, 1)
}

func TestARetryDoesNotWaitForTheBackoff(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-fault", "gettoken:status,code=500")
	r := newRig(t, srv, "RETRY_MIN=5h", "RETRY_MAX=10h")
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	u := r.until("flu_1.csv", "waits long", func(u row) bool { return u.Attempt == 1 && u.Reason == "server_error" })
	srv.heal()
	r.act(u.ID, "retry")
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
}

func TestKeptOriginalsStayAndAreNotSentAgain(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv, "FLU_ON_ACCEPTED=keep")
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	u := r.endsWith("flu_1.csv", "accepted")
	r.mustBeOnlyAt(u, digest, "watch")
	r.proc.Kill()
	r.start()
	drop(t, r.flu, "flu_2.csv", good(t))
	r.endsWith("flu_2.csv", "accepted") // a scan has gone by
	if n := len(r.uploads("flu_1.csv")); n != 1 {
		t.Errorf("%d uploads of a file that was kept", n)
	}
	srv.mustHave(digest, 1, 1)
}

func TestOnlyTheOperatorActsAndOnlyTokensRead(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	for _, c := range []struct {
		token, method, path string
		want                int
	}{
		{"", "GET", "/status", 401},
		{"wrong", "GET", "/status", 401},
		{viewerToken, "GET", "/status", 200},
		{viewerToken, "GET", "/metrics", 200},
		{"", "GET", "/metrics", 401},
		{viewerToken, "POST", "/channels/flu/pause", 403},
		{operatorToken, "POST", "/channels/flu/pause", 200},
		{"", "POST", "/channels/flu/resume", 401},
		{"", "GET", "/livez", 200},
	} {
		if got := do(t, c.method, r.base+c.path, c.token, nil, nil); got != c.want {
			t.Errorf("%s %s with token %q: status %d, want %d", c.method, c.path, c.token, got, c.want)
		}
	}
	open := newRig(t, srv, "API_TOKEN=", "API_VIEW_TOKEN=")
	open.start()
	if got := do(t, "GET", open.base+"/status", "", nil, nil); got != 200 {
		t.Errorf("without tokens, reading: status %d", got)
	}
	if got := do(t, "POST", open.base+"/channels/flu/pause", "", nil, nil); got != 403 {
		t.Errorf("without tokens, acting: status %d", got)
	}
}

func TestDeletedOriginalsAreGoneOnlyAfterTheVerdict(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv, "FLU_ON_ACCEPTED=delete", "FLU_ON_REJECTED=delete")
	r.start()
	for name, verdict := range map[string]string{"flu_1.csv": "accepted", "flu_reject_2.csv": "rejected"} {
		digest := drop(t, r.flu, name, good(t))
		u := r.endsWith(name, verdict)
		if u.Place != "deleted" || len(r.places(digest)) != 0 {
			t.Errorf("%s is at %s and %v", name, u.Place, r.places(digest))
		}
	}
}
