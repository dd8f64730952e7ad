package chaos

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const apiToken = "token-of-the-operator"

// kills counts every kill -9.
const kills = "killed in all"

// grace is how long the sidecar may take to end on SIGTERM.
const grace = 25 * time.Second

// sidecar is the process under test. Whatever ends it, it is started again at
// once, as a kubelet does.
type sidecar struct {
	t       *testing.T
	ground  *ground
	figures *figures
	addr    string
	env     []string
	log     *os.File
	clock   *clock
	clocked bool          // the next one goes by our clock: it is the test's own build of the program
	over    chan struct{} // closed when nobody starts it again

	mu      sync.Mutex
	cmd     *exec.Cmd
	began   time.Time
	ended   chan struct{}  // of cmd
	meant   syscall.Signal // what we sent it to end
	leaving bool
}

func newSidecar(t *testing.T, g *ground, server string, f *figures) *sidecar {
	t.Helper()
	s := &sidecar{t: t, ground: g, figures: f, addr: freeAddr(t), over: make(chan struct{}), clock: newClock(g), clocked: true}
	var err error
	s.log, err = os.Create(filepath.Join(g.base, "sidecar.log"))
	g.must(err)
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/", "TZ=Asia/Shanghai", "LISTEN_ADDR=" + s.addr, "STATE_DIR=" + g.state, "API_TOKEN=" + apiToken,
		"QUIET_PERIOD=800ms", "RESCAN_INTERVAL=1s", "POLL_MIN=50ms", "POLL_MAX=500ms", "RETRY_MIN=50ms", "RETRY_MAX=1s",
		"UNKNOWN_GRACE=8s", "RESULT_DEADLINE=100h", "REFUSED_RETRY=2s", "REFUSED_PER_DAY=100", "CONCURRENCY=4", "DISK_RESERVE=1MiB",
	}
	for channel, dir := range map[string]string{"flu": g.flu, "hqms": g.hqms} {
		up := strings.ToUpper(channel)
		s.env = append(s.env, up+"_WATCH_DIR="+dir, up+"_ACCOUNT="+account, up+"_PASSWORD_FILE="+filepath.Join(g.secrets, "password"),
			up+"_SERVER_URL=http://"+server+"/"+channel+"/")
	}
	t.Cleanup(func() { s.finish(); _ = s.log.Close() })
	return s
}

// begin starts it, and starts it again whenever it ends.
func (s *sidecar) begin() {
	go func() {
		defer close(s.over)
		for s.start() {
			_ = s.cmd.Wait() // the goroutine's own: nobody else changes cmd
			s.judge()
			close(s.ended)
		}
	}()
}

// start reports whether there is a process again.
func (s *sidecar) start() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving {
		return false
	}
	s.cmd = exec.Command(filepath.Join(s.ground.bin, "hqms-sidecar"))
	s.cmd.Env = s.env
	if s.clocked {
		s.cmd = exec.Command(filepath.Join(s.ground.bin, "hqms-sidecar-clocked"))
		s.cmd.Env = append(slices.Clip(s.env), clockEnv+"="+s.clock.file)
	}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if s.ground.root {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	s.ended, s.meant, s.began = make(chan struct{}), 0, time.Now()
	if err := s.cmd.Start(); err != nil {
		s.t.Errorf("start the sidecar: %v", err)
		return false
	}
	s.figures.count("sidecar started")
	return true
}

// judge looks at how the process ended.
func (s *sidecar) judge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, lived := s.cmd.ProcessState, time.Since(s.began)
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case s.meant == syscall.SIGKILL:
	case s.meant == syscall.SIGTERM && state.ExitCode() == 0:
	case s.meant == syscall.SIGTERM && status.Signaled() && status.Signal() == syscall.SIGTERM && lived < 2*time.Second:
		s.figures.count("terminated before it listened to signals")
	case s.meant == 0 && state.ExitCode() == 1 && s.ground.brokenSince(s.began):
		// It cannot start on a disk that is full or forbidden: it is tried again.
		s.figures.count("could not start on broken ground")
		wait(context.Background(), 100*time.Millisecond)
	default:
		s.t.Errorf("the sidecar ended by itself after %s (%s, sent %v)\n%s", lived, state, s.meant, s.tail())
	}
}

// send sends a signal; one that ends the process is waited for.
func (s *sidecar) send(sig syscall.Signal) {
	s.mu.Lock()
	cmd, ended := s.cmd, s.ended
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM {
		s.meant = sig
	}
	if sig == syscall.SIGKILL {
		s.figures.count(kills)
	}
	s.mu.Unlock()
	if cmd.Process.Signal(sig) != nil || sig != syscall.SIGKILL && sig != syscall.SIGTERM {
		return
	}
	select {
	case <-ended:
	case <-time.After(grace + 10*time.Second):
		s.t.Errorf("the sidecar does not end on %s\n%s", sig, s.tail())
		_ = cmd.Process.Kill()
		<-ended
	}
}

// finish ends it in order, for good.
func (s *sidecar) finish() {
	s.mu.Lock()
	first, running := !s.leaving, s.cmd != nil
	s.leaving = true
	s.mu.Unlock()
	if !running || !first {
		return
	}
	began := time.Now()
	s.send(syscall.SIGTERM)
	<-s.over
	if took := time.Since(began); took > grace {
		s.t.Errorf("it took %s to end", took)
	}
}

// processMoves end and hold the sidecar.
func (r *run) processMoves() []move {
	return []move{
		{"kill -9", 16, func(context.Context, *rand.Rand) { r.sidecar.send(syscall.SIGKILL) }},
		{"SIGTERM", 2, func(context.Context, *rand.Rand) { r.sidecar.send(syscall.SIGTERM) }},
		{"SIGSTOP, SIGCONT", 1, r.sidecar.freeze},
		{"clock set, kill -9", 2, func(ctx context.Context, rng *rand.Rand) {
			r.sidecar.clock.jump(ctx, rng)
			r.sidecar.send(syscall.SIGKILL)
		}},
	}
}

// shipped lets the shipped binary go on, by the true clock: what the other one's
// clock has left behind is for it to deal with.
func (s *sidecar) shipped() {
	s.mu.Lock()
	s.clocked = false
	s.mu.Unlock()
	s.send(syscall.SIGTERM)
}

func (s *sidecar) freeze(ctx context.Context, rng *rand.Rand) {
	d := upTo(100*time.Millisecond, 2*time.Second)(rng)
	s.send(syscall.SIGSTOP)
	wait(ctx, d)
	s.send(syscall.SIGCONT)
}

// shape is the process's size at a moment.
type shape struct {
	resident   int64 // bytes
	goroutines int
}

// stayInShape looks at the living process until ctx ends and compares its shape
// early on with that at the end.
func (s *sidecar) stayInShape(ctx context.Context, d time.Duration) {
	var seen []shape
	tick := time.NewTicker(max(d/60, 200*time.Millisecond))
	defer tick.Stop()
	for ctx.Err() == nil {
		if now, ok := s.shape(ctx); ok {
			seen = append(seen, now)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	if len(seen) < 10 {
		s.figures.note("shape", "too few looks: "+strconv.Itoa(len(seen)))
		return
	}
	fifth := len(seen) / 5 // of five minutes, the first
	early, late := median(seen[fifth:2*fifth]), median(seen[len(seen)-fifth:])
	s.figures.note("resident memory early, late", strconv.FormatInt(early.resident>>10, 10)+" KiB, "+strconv.FormatInt(late.resident>>10, 10)+" KiB")
	s.figures.note("goroutines early, late", strconv.Itoa(early.goroutines)+", "+strconv.Itoa(late.goroutines))
	if d < time.Minute {
		return // its caches are still filling
	}
	if float64(late.resident) > 1.2*float64(early.resident) {
		s.t.Errorf("resident memory grew from %d to %d KiB", early.resident>>10, late.resident>>10)
	}
	if late.goroutines > early.goroutines+20 {
		s.t.Errorf("goroutines grew from %d to %d", early.goroutines, late.goroutines)
	}
}

func median(all []shape) shape {
	var resident []int64
	var goroutines []int
	for _, x := range all {
		resident, goroutines = append(resident, x.resident), append(goroutines, x.goroutines)
	}
	slices.Sort(resident)
	slices.Sort(goroutines)
	return shape{resident[len(resident)/2], goroutines[len(goroutines)/2]}
}

func (s *sidecar) shape(ctx context.Context) (shape, bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var x shape
	var text string
	if call(ctx, http.MethodGet, "http://"+s.addr+"/metrics", apiToken, http.NoBody, &text) != nil {
		return x, false
	}
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		n, err := strconv.ParseFloat(value[strings.LastIndexByte(value, ' ')+1:], 64)
		switch {
		case err != nil:
		case name == "process_resident_memory_bytes":
			x.resident = int64(n)
		case strings.HasPrefix(name, "go_goroutine"):
			x.goroutines = int(n)
		}
	}
	return x, x.resident > 0 && x.goroutines > 0
}

// backlog is how many uploads are open; -1: nobody answers.
func (s *sidecar) backlog(ctx context.Context) int64 {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var page struct {
		Items []struct{ Backlog struct{ Files int64 } }
	}
	if call(ctx, http.MethodGet, "http://"+s.addr+"/channels", apiToken, http.NoBody, &page) != nil || len(page.Items) == 0 {
		return -1
	}
	var n int64
	for _, c := range page.Items {
		n += c.Backlog.Files
	}
	return n
}

// tail is the end of its log.
func (s *sidecar) tail() string {
	b, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-8):], []byte("\n")))
}
