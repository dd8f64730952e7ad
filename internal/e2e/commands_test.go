package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

// run runs the sidecar's binary to its end.
func (r *rig) run(args []string, env ...string) (code int, out string) {
	r.t.Helper()
	p := process.Start(r.t, binDir+"/hqms-sidecar", args, r.environ(env...))
	return p.Exit(), p.Out.String()
}

func TestWithNothingSetItNamesWhatMakesAChannel(t *testing.T) {
	t.Parallel()
	p := process.Start(t, binDir+"/hqms-sidecar", nil, nil)
	if code := p.Exit(); code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"FLU_WATCH_DIR", "HQMS_WATCH_DIR", "ACCOUNT", "PASSWORD"} {
		if !strings.Contains(p.Out.String(), want) {
			t.Errorf("%s is not named:\n%s", want, p.Out)
		}
	}
}

func TestAMisspeltVariableStopsTheStartWithASuggestionAndAllOtherFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, newServer(t))
	code, out := r.run(nil, "FLU_PASSWROD=x", "QUIET_PERIOD=soon")
	if code != 2 || !strings.Contains(out, "FLU_PASSWROD") || !strings.Contains(out, "FLU_PASSWORD") || !strings.Contains(out, "QUIET_PERIOD") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if code, out := r.run([]string{"version"}); code != 0 || !strings.Contains(out, "hqms-sidecar") {
		t.Errorf("version: exit code %d: %s", code, out)
	}
	if code, _ := r.run([]string{"serv"}); code != 2 {
		t.Errorf("no such command: exit code %d", code)
	}
}

func TestASecondProcessOnTheSameStateRefusesAndTheFirstGoesOn(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	code, out := r.run(nil)
	if code != 1 || !strings.Contains(out, "in use") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
}

func TestCheckTellsWhatIsWrongAndHowToMendIt(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	if code, out := r.run([]string{"check"}); code != 0 {
		t.Errorf("all is well, exit code %d:\n%s", code, out)
	}
	r.env["FLU_PASSWORD"] = "wrong-" + password
	if code, out := r.run([]string{"check"}); code == 0 || strings.Contains(out, password) {
		t.Errorf("wrong password: exit code %d, the password must not show:\n%s", code, out)
	}
	srv.proc.Kill()
	if code, _ := r.run([]string{"check"}); code == 0 {
		t.Error("server away: exit code 0")
	}
}

func TestHealthcheckFollowsTheRunningProgram(t *testing.T) {
	t.Parallel()
	r := newRig(t, newServer(t))
	r.start()
	listen := "LISTEN_ADDR=" + strings.TrimPrefix(r.base, "http://")
	if code, out := r.run([]string{"healthcheck"}, listen); code != 0 {
		t.Errorf("running: exit code %d: %s", code, out)
	}
	check(t, r.proc.Terminate())
	if code, _ := r.run([]string{"healthcheck"}, listen); code == 0 {
		t.Error("ended: exit code 0")
	}
}

func TestSIGTERMInAnUploadEndsInTimeAndTheFileIsAcceptedOnceAfterwards(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	name := "flu_slow.csv"
	slow := srv.fault(sandbox.Fault{Step: sandbox.StepUpload, Kind: "slow", Rate: 1 << 10, File: name})
	r.start()
	digest := drop(t, r.flu, name, fileOf(t, "flu", 2000, 0))
	eventually(t, "the upload is under way", func() bool { return srv.struck(slow) > 0 })
	began := time.Now()
	if err := r.proc.Terminate(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v to end", took)
	}
	srv.heal()
	r.start()
	r.endsWith(name, "accepted")
	srv.mustHave(digest, 1, 1)
}
