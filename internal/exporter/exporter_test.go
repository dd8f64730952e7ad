package exporter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestARunWritesEveryFeedWholeAndInItsManner(t *testing.T) {
	t.Parallel()
	flu, hqms := t.TempDir(), t.TempDir()
	written, err := Run(t.Context(), Options{FluDir: flu, HQMSDir: hqms, Rows: 5, Pace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	feeds, charsets, manners, ends := map[string]bool{}, map[string]bool{}, map[Manner]bool{}, map[upload.Verdict]bool{}
	for _, w := range written {
		dir := flu
		if w.Channel == upload.HQMS {
			dir = hqms
		}
		text, err := os.ReadFile(filepath.Join(dir, w.Filename))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if w.Digest != "sha-256:"+hex.EncodeToString(sum[:]) || w.Bytes != int64(len(text)) || w.Rows != 5 {
			t.Errorf("%s is not what was told: %+v", w.Filename, w)
		}
		if w.Charset == "utf-8" != utf8.Valid(text) {
			t.Errorf("%s is not %s", w.Filename, w.Charset)
		}
		if !strings.HasPrefix(w.Filename, string(w.Kind)+"_"+time.Now().Format("200601")) {
			t.Errorf("name %s", w.Filename)
		}
		feeds[string(w.Channel)+" "+string(w.Kind)] = true
		charsets[w.Charset], manners[w.Manner], ends[w.Expect] = true, true, true
	}
	if len(feeds) != 7 || len(charsets) != 2 || len(manners) != 4 || len(ends) != 3 || len(written) != 9 {
		t.Errorf("%d files, feeds %v, charsets %v, manners %v, ends %v", len(written), feeds, charsets, manners, ends)
	}
	for _, dir := range []string{flu, hqms} {
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestTwoRunsNeverWriteTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seen := map[string]string{}
	for range 3 {
		written, err := Run(t.Context(), Options{FluDir: dir, Rows: 2, Pace: time.Microsecond})
		if err != nil {
			t.Fatal(err)
		}
		if len(written) != 8 {
			t.Fatalf("%d files without the hqms directory", len(written))
		}
		for _, w := range written {
			for _, key := range []string{w.Filename, w.Digest} {
				if other, twice := seen[key]; twice {
					t.Errorf("%s: %s again, first %s", w.Filename, key, other)
				}
				seen[key] = w.Filename
			}
		}
	}
}

func TestASlowFileGrowsAndARenamedOneNeverShows(t *testing.T) {
	t.Parallel()
	content := []byte(strings.Repeat("a line of some length\n", 40))
	for how, grows := range map[Manner]bool{Slowly: true, Reopened: true, InOneGo: false, Renamed: false} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			sizes := map[int64]bool{}
			done := make(chan error, 1)
			go func() { done <- Put(t.Context(), dir, "flu_1.csv", content, how, time.Second) }()
			for len(done) == 0 {
				synctest.Wait()
				if info, err := os.Stat(filepath.Join(dir, "flu_1.csv")); err == nil {
					sizes[info.Size()] = true
				}
				<-time.After(time.Second / 2)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if (len(sizes) > 4) != grows {
				t.Errorf("%s: sizes %v", how, sizes)
			}
		})
		if got, _ := os.ReadFile(filepath.Join(dir, "flu_1.csv")); !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes of %d", how, len(got), len(content))
		}
	}
}

func TestACancelledRunStillFinishesItsFiles(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	written, err := Run(ctx, Options{FluDir: dir, Rows: 50, Pace: time.Hour})
	if err != nil || len(written) != 8 {
		t.Errorf("%d files, %v", len(written), err)
	}
}

func TestWhatCannotBeWrittenIsAnErrorAndOverwritesNothing(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Options{}); err == nil {
		t.Error("no directory is no error")
	}
	if _, err := Run(t.Context(), Options{FluDir: filepath.Join(t.TempDir(), "missing")}); err == nil {
		t.Error("a missing directory is no error")
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "flu_1.csv")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Put(t.Context(), dir, "flu_1.csv", []byte("new"), InOneGo, 0); err == nil {
		t.Error("an existing file was written over")
	}
	if got, _ := os.ReadFile(name); string(got) != "old" {
		t.Errorf("the old file holds %q", got)
	}
}
