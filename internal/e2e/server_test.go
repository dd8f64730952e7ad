package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

func TestWhateverTheServerDoesToAnUploadItIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	faults := map[string]sandbox.Fault{
		"500":                  {Kind: "status", Code: 500},
		"500 though processed": {Kind: "status", Code: 500, Processed: true},
		"502 early":            {Kind: "status", Code: 502, Early: true},
		"503 with Retry-After": {Kind: "status", Code: 503, RetryAfter: sandboxDuration(time.Second)},
		"429":                  {Kind: "status", Code: 429},
		"a web page":           {Kind: "html"},
		"503 as a web page":    {Kind: "html", Code: 503},
		"JSON cut short":       {Kind: "truncated"},
		"64 MiB of JSON":       {Kind: "huge"},
		"no JSON":              {Kind: "text"},
		"reset":                {Kind: "reset"},
		"cut after 10 bytes":   {Kind: "cut", Bytes: 10},
		"answer cut":           {Kind: "cut-answer", Bytes: 20},
		"answer lost":          {Kind: "lost"},
		"redirect elsewhere":   {Kind: "redirect", Location: "http://127.0.0.1:1/"},
	}
	for _, step := range []sandbox.StepName{sandbox.StepUpload, sandbox.StepResult} {
		for what, f := range faults {
			if f.Kind == "cut" && step == sandbox.StepResult {
				continue // its request has no body
			}
			name := fmt.Sprintf("flu_%s_%s.csv", step, strings.ReplaceAll(what, " ", "_"))
			f.Step, f.File, f.Count = step, name, 2
			id := srv.fault(f)
			t.Run(string(step)+" "+what, func(t *testing.T) {
				t.Parallel()
				r := r.within(t)
				digest := drop(t, r.flu, name, good(t))
				u := r.endsWith(name, "accepted")
				r.srv.mustHave(digest, 1, 1)
				r.mustBeOnlyAt(u, digest, "archive")
				if r.srv.struck(id) == 0 {
					t.Error("the fault never struck")
				}
			})
		}
	}
}

func TestWhateverTheServerDoesToTheTokenTheFileIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	for _, f := range []sandbox.Fault{
		{Kind: "status", Code: 500},
		{Kind: "status", Code: 503, RetryAfter: sandboxDuration(time.Second)},
		{Kind: "html"},
		{Kind: "html", Code: 502},
		{Kind: "truncated"},
		{Kind: "huge"},
		{Kind: "text"},
		{Kind: "reset"},
		{Kind: "lost"},
		{Kind: "cut-answer", Bytes: 30},
	} {
		f.Step, f.Count = sandbox.StepToken, 1
		srv.fault(f) // they strike one after the other
	}
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
}

func TestAnUploadTheServerRefusesIsRejectedWithItsWords(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-fault", "upload:refuse,message=quota of the month")
	r := newRig(t, srv)
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	u := r.endsWith("flu_1.csv", "rejected")
	r.mustBeOnlyAt(u, digest, "quarantine")
	if u.Reason != "upload_refused" {
		t.Errorf("reason %s", u.Reason)
	}
	text, _ := os.ReadFile(filepath.Join(r.state, u.Path+".result.txt"))
	if !strings.Contains(string(text), "quota of the month") {
		t.Errorf("the result beside the original does not say what the server said:\n%s", text)
	}
}

func TestALostAnswerAndAKillDoNotMakeASecondDelivery(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-fault", "upload:lost,count=1", "-fault", "result:status,code=503")
	r := newRig(t, srv)
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	r.until("flu_1.csv", "is sent, the answer lost", func(u row) bool { return u.State == "sent" })
	r.proc.Kill()
	srv.heal()
	r.start()
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
}

func TestADeliveryNobodyKnowsOfIsUnresolvedKeptAndAskedAboutAgain(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-fault", "result:token-unknown")
	r := newRig(t, srv, "RESULT_DEADLINE=1s")
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	u := r.endsWith("flu_1.csv", "unresolved")
	r.mustBeOnlyAt(u, digest, "quarantine")
	if u.Remedy == nil || u.Remedy.Zh == "" || u.Remedy.En == "" {
		t.Error("an operator is not told what to do")
	}
	srv.heal()
	r.act(u.ID, "retry")
	r.until("flu_1.csv", "is accepted after all, without having been sent again", func(u row) bool { return u.State == "retired" && u.Verdict == "accepted" })
	srv.mustHave(digest, 1, 1)
}

func TestWithTheServerAwayFilesWaitAndGoOutWhenItComes(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.proc.Kill()
	r := newRig(t, srv)
	r.start() // readiness does not depend on the server
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	u := r.until("flu_1.csv", "waits", func(u row) bool { return u.State == "packed" && u.Attempt >= 3 })
	if u.Reason != "server_unreachable" || u.Remedy == nil {
		t.Errorf("waits with reason %q, remedy %v", u.Reason, u.Remedy)
	}
	r.channelIs("flu", "offline")
	for _, probe := range []string{"/livez", "/readyz"} {
		if code := r.call("GET", probe, nil, nil); code != 200 {
			t.Errorf("%s: %d", probe, code)
		}
	}
	r.proc.Kill()
	r.start() // and again without it
	srv.start()
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
	r.channelIs("flu", "ok")
}

func TestAWrongPasswordIsTriedOnceAndANewOneTakenFromTheSwappedSecret(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	volume := t.TempDir()
	secret(t, volume, "..2026_1", "wrong-"+password)
	r := newRig(t, srv, "FLU_PASSWORD=", "FLU_PASSWORD_FILE="+filepath.Join(volume, "password"))
	r.start()
	names, digests := []string{"flu_1.csv", "flu_2.csv", "flu_3.csv"}, map[string]string{}
	for _, n := range names {
		digests[n] = drop(t, r.flu, n, good(t))
	}
	c := r.channelIs("flu", "refused")
	if c.Remedy == nil || c.NextProbeAt == nil || c.ServerMessage == "" {
		t.Errorf("the channel does not say what to do, when it is tried again, what the server said: %+v", c)
	}
	for _, n := range names {
		r.until(n, "waits", func(u row) bool { return u.State == "packed" && u.Reason == "credentials_refused" && u.Attempt == 0 })
	}
	r.proc.Kill()
	r.start()
	r.call("POST", "/uploads/trigger", map[string]any{"force": true}, nil)
	digests["flu_4.csv"] = drop(t, r.flu, "flu_4.csv", good(t))
	r.until("flu_4.csv", "waits, too", func(u row) bool { return u.State == "packed" && u.Reason == "credentials_refused" })
	if n := srv.wrongLogins(); n != 1 {
		t.Errorf("the wrong password was tried %d times", n)
	}
	secret(t, volume, "..2026_2", password)
	for n, d := range digests {
		r.endsWith(n, "accepted")
		srv.mustHave(d, 1, 1)
	}
	r.channelIs("flu", "ok")
	if n := srv.wrongLogins(); n != 1 {
		t.Errorf("the wrong password was tried %d times", n)
	}
}

// secret writes a secret as the kubelet does: the file is a link through
// ..data, and ..data is swapped.
func secret(t *testing.T, volume, version, value string) {
	t.Helper()
	dir := filepath.Join(volume, version)
	check(t, os.Mkdir(dir, 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "password"), []byte(value+"\n"), 0o644))
	check(t, os.Symlink(version, filepath.Join(volume, "..data_tmp")))
	check(t, os.Rename(filepath.Join(volume, "..data_tmp"), filepath.Join(volume, "..data")))
	if _, err := os.Lstat(filepath.Join(volume, "password")); err != nil {
		check(t, os.Symlink(filepath.Join("..data", "password"), filepath.Join(volume, "password")))
	}
}

func TestATokenThatExpiresBeforeTheUploadIsReplaced(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-fault", "upload:token-expired,count=1")
	r := newRig(t, srv)
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	u := r.endsWith("flu_1.csv", "accepted")
	r.mustBeOnlyAt(u, digest, "archive")
	srv.mustHave(digest, 1, 1)
}

func TestAServerOfWebPagesHoldsUpItsOwnChannelOnly(t *testing.T) {
	t.Parallel()
	srv := newServer(t, "-fault", "any:html,channel=flu")
	r := newRig(t, srv)
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	other := hqmsFile(t)
	drop(t, r.hqms, "hqms_1.csv", other)
	u := r.until("flu_1.csv", "waits", func(u row) bool { return u.State == "packed" && u.Attempt >= 2 })
	if u.Reason != "server_answer_unreadable" || u.Remedy == nil {
		t.Errorf("waits with reason %q, remedy %v", u.Reason, u.Remedy)
	}
	r.endsWith("hqms/hqms_1.csv", "accepted")
	srv.mustHave(digestOf(other), 1, 1)
	srv.heal()
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
}
