package config

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const taint = "T4INTED-secret"

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	cfg, err := Load(good("FLU_ACCOUNT="+taint, "FLU_PASSWORD="+taint+"2", "API_TOKEN="+taint+"3", "API_VIEW_TOKEN="+taint+"4"))
	must(t, err)
	s := cfg.Flu.Password
	var out strings.Builder
	for _, v := range []any{s, &s, cfg, *cfg, cfg.Flu, []Secret{s}, map[string]Secret{"x": s}, struct{ S any }{s}, struct{ s Secret }{s}, cfg.Settings()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		j, err := json.Marshal(exported(v))
		must(t, err)
		out.Write(j)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", v)
	}
	hex := fmt.Sprintf("%x", taint)
	for _, bad := range []string{taint, hex, strings.ToUpper(hex)} {
		if strings.Contains(out.String(), bad) {
			i := strings.Index(out.String(), bad)
			t.Fatalf("printed: %s", out.String()[max(0, i-200):i+20])
		}
	}
	if !strings.Contains(out.String(), shown) {
		t.Error("nothing says that it is set")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, s); got != shown {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	if s.Reveal() != taint+"2" {
		t.Error("Reveal does not give the value")
	}
}

// exported keeps encoding/json from the one thing it cannot do.
func exported(v any) any {
	switch x := v.(type) {
	case *Config:
		return x.Settings()
	case Config:
		return x.Settings()
	default:
		return v
	}
}

func TestNoFaultRepeatsASecret(t *testing.T) {
	t.Parallel()
	for _, f := range fields() {
		for _, value := range []string{taint + "\x01", "https://u:" + taint + "@x/", "https://x/?pwd=" + taint, strings.Repeat(taint, 400)} {
			if !f.secret() && f.typ.Name() != "URL" {
				continue
			}
			_, err := Load(good(f.name + "=" + value))
			if err != nil && strings.Contains(err.Error(), taint) {
				t.Errorf("%s: %v", f.name, err)
			}
			if faults, ok := err.(Faults); ok { //nolint:errorlint // the very type
				var out bytes.Buffer
				must(t, faults.Print(&out))
				if strings.Contains(out.String(), taint) {
					t.Errorf("%s: %s", f.name, out.String())
				}
			}
		}
	}
}

// vault is Secrets over a password file, with a log to look at.
func vault(t *testing.T, path string, log *bytes.Buffer) *Secrets {
	t.Helper()
	cfg, err := Load(good("FLU_PASSWORD=", "FLU_PASSWORD_FILE="+path))
	must(t, err)
	return NewSecrets(cfg, slog.New(slog.NewTextHandler(log, nil)))
}

func password(s *Secrets) string {
	_, p, _ := s.Credentials(upload.Flu)
	return p
}

func TestKubernetesSecretSwapIsFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, v := range []string{"..1", "..2"} {
		must(t, os.Mkdir(filepath.Join(dir, v), 0o700))
		write(t, filepath.Join(dir, v, "password"), "\ufeff  secret"+v+"\r\n")
	}
	must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	must(t, os.Symlink("..data/password", filepath.Join(dir, "password")))
	s := vault(t, filepath.Join(dir, "password"), &bytes.Buffer{})
	_, first, hash := s.Credentials(upload.Flu)
	if first != "secret..1" {
		t.Fatalf("password: %q", first)
	}
	synctest.Test(t, func(t *testing.T) {
		if names := s.Reload(t.Context()); len(names) != 0 {
			t.Errorf("changed without a change: %v", names)
		}
		must(t, os.Symlink("..2", filepath.Join(dir, "..tmp")))
		must(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
		if names := s.Reload(t.Context()); !slices.Equal(names, []string{"FLU_PASSWORD"}) {
			t.Errorf("changed: %v", names)
		}
	})
	_, second, other := s.Credentials(upload.Flu)
	if second != "secret..2" || hash == other || hash == "" {
		t.Errorf("password %q, fingerprints %s and %s", second, hash, other)
	}
}

func TestUnfitSecretFileKeepsTheOldValue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "password")
	write(t, path, "old")
	var log bytes.Buffer
	s := vault(t, path, &log)
	synctest.Test(t, func(t *testing.T) {
		for _, content := range []string{"", "  \n", "two\nlines", "bad\x00", strings.Repeat("x", 9000), "\xff\xfe"} {
			write(t, path, content)
			for range 2 {
				if names := s.Reload(t.Context()); len(names) != 0 || password(s) != "old" {
					t.Errorf("%.20q was taken: %q", content, password(s))
				}
			}
		}
		must(t, os.Remove(path))
		if names := s.Reload(t.Context()); len(names) != 0 || password(s) != "old" {
			t.Error("the value went with the file")
		}
		write(t, path, "new")
		if names := s.Reload(t.Context()); len(names) != 1 || password(s) != "new" {
			t.Errorf("the new value was not taken: %v", names)
		}
	})
	if n := strings.Count(log.String(), "old value stays"); n != 3 { // empty, unfit, missing
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}

// A file in the middle of being written differs at the second look.
func TestHalfWrittenSecretIsNotTaken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "password")
	write(t, path, "old")
	s := vault(t, path, &bytes.Buffer{})
	synctest.Test(t, func(t *testing.T) {
		write(t, path, "ne")
		var done sync.WaitGroup
		done.Go(func() {
			<-time.After(s.settled / 2)
			write(t, path, "new-password")
		})
		if names := s.Reload(t.Context()); len(names) != 0 || password(s) != "old" {
			t.Errorf("taken: %v %q", names, password(s))
		}
		done.Wait()
		if s.Reload(t.Context()); password(s) != "new-password" {
			t.Errorf("password: %q", password(s))
		}
	})
}

func TestRunTellsOfChangesUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "password")
	write(t, path, "old")
	s := vault(t, path, &bytes.Buffer{})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		told, asked := make(chan []string, 1), make(chan struct{}, 1)
		var running sync.WaitGroup
		running.Go(func() { _ = s.Run(ctx, 10*time.Second, asked, func(names []string) { told <- names }) })
		write(t, path, "new")
		began := time.Now()
		if names := <-told; !slices.Equal(names, []string{"FLU_PASSWORD"}) || password(s) != "new" {
			t.Errorf("told %v", names)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("took %s", took)
		}
		write(t, path, "newer")
		began = time.Now()
		asked <- struct{}{}
		if <-told; password(s) != "newer" || time.Since(began) > time.Second {
			t.Errorf("asked for, it came after %s", time.Since(began))
		}
		cancel()
		running.Wait()
	})
}

func TestFingerprintTellsCredentialsApartAndNotWhatTheyAre(t *testing.T) {
	t.Parallel()
	a, b, c := fingerprint("user", "pw"), fingerprint("user", "pw2"), fingerprint("user2", "pw")
	if a == b || a == c || len(a) != 16 || a != fingerprint("user", "pw") {
		t.Errorf("%s %s %s", a, b, c)
	}
}

func TestSecretFileThatIsAFIFODoesNotHang(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	mkfifo(t, path)
	if got := faultsOf(t, good("FLU_PASSWORD=", "FLU_PASSWORD_FILE="+path)); !slices.Equal(got, []string{"FLU_PASSWORD_FILE file_unreadable"}) {
		t.Errorf("faults: %v", got)
	}
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	must(t, syscall.Mkfifo(path, 0o600))
}
