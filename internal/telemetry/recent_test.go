package telemetry

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func filled(n int) *Recent {
	r := &Recent{}
	log := slog.New(withTrace(formatted(r, Options{LogLevel: slog.LevelDebug})))
	for i := range n {
		level, channel := slog.LevelInfo, "flu"
		if i%2 == 1 {
			level, channel = slog.LevelWarn, "hqms"
		}
		log.With("channel", channel).Log(nil, level, "line", "upload_id", fmt.Sprint("u", i%4), "i", i) //nolint:staticcheck // no context is needed here
	}
	return r
}

func TestRecentLinesAreTheLatestFirstAndNoMoreThanTheRingHolds(t *testing.T) {
	t.Parallel()
	r := filled(recentLines + 7)
	lines, more := r.Lines(Asked{Level: slog.LevelDebug, Limit: 2 * recentLines})
	if more || len(lines) != recentLines {
		t.Fatalf("%d lines, more %v", len(lines), more)
	}
	if lines[0].Attributes["i"] != float64(recentLines+6) || lines[0].Seq != recentLines+6 || lines[len(lines)-1].Seq != 7 {
		t.Errorf("first %+v, last %+v", lines[0], lines[len(lines)-1])
	}
	if _, ok := lines[0].Attributes["msg"]; ok || lines[0].Message != "line" || lines[0].Time.IsZero() {
		t.Errorf("%+v", lines[0])
	}
}

func TestRecentLinesAreChosenByLevelChannelAndUpload(t *testing.T) {
	t.Parallel()
	r := filled(20)
	for name, a := range map[string]struct {
		asked Asked
		want  int
	}{
		"warnings":  {Asked{Level: slog.LevelWarn}, 10},
		"a channel": {Asked{Channel: "flu"}, 10},
		"an upload": {Asked{UploadID: "u2"}, 5},
		"both":      {Asked{UploadID: "u2", Channel: "hqms"}, 0},
		"older":     {Asked{Before: 5}, 5},
	} {
		a.asked.Limit = 100
		if lines, _ := r.Lines(a.asked); len(lines) != a.want {
			t.Errorf("%s: %d lines, want %d", name, len(lines), a.want)
		}
	}
	if lines, more := r.Lines(Asked{Limit: 3}); len(lines) != 3 || !more {
		t.Errorf("a page: %d lines, more %v", len(lines), more)
	}
}

func TestALongLineIsKeptShort(t *testing.T) {
	t.Parallel()
	r := &Recent{}
	log := slog.New(formatted(r, Options{LogLevel: slog.LevelInfo}))
	log.Info("long", "channel", "flu", "error", strings.Repeat("é", 1<<20))
	lines, _ := r.Lines(Asked{Limit: 1})
	if len(lines) != 1 || lines[0].Message != "long" || lines[0].Attributes["channel"] != "flu" || len(r.lines[0]) > recentLine {
		t.Errorf("%d bytes kept: %+v", len(r.lines[0]), lines)
	}
}
