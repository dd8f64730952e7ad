package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/watch"
)

// errNoJournal: there is no journal to look into.
var errNoJournal = errors.New("no journal")

// why explains one file.
type why struct {
	cfg     *config.Config
	library *standard.Library
	out     io.Writer
	now     time.Time
	failed  error // of the first line that could not be written
}

// runWhy says, in Chinese and English, which rules applied to a file, where it
// is, and what happens next. It asks the running program, and where none
// answers, reads the journal without changing it.
func runWhy(ctx context.Context, c Call, args []string) int {
	cfg, _ := config.Load(c.Environ, config.ChannelsOptional()) // what is wrong with the settings, check says
	if len(args) != 1 || args[0] == "" {
		fmt.Fprintln(c.Stderr, "why: 请给出一个文件名 / give the name of one file")
		return exitUsage
	}
	library, err := loadStandards(cfg)
	if err != nil {
		fmt.Fprintln(c.Stderr, err)
		return exitUsage
	}
	w := &why{cfg: cfg, library: library, out: c.Stdout, now: time.Now()}
	name := filepath.Base(args[0])
	for _, ch := range cfg.Channels() {
		if err := w.explain(ctx, ch, name); err != nil {
			fmt.Fprintf(c.Stderr, "%v\n", err)
			return exitFailed
		}
	}
	if len(cfg.Channels()) == 0 {
		w.say("why.no_channel", nil)
	}
	if w.failed != nil {
		return exitFailed
	}
	return exitOK
}

// say prints a phrase in both languages.
func (w *why) say(id string, params map[string]string) {
	_, err := fmt.Fprintf(w.out, "  %s\n    %s\n", phrase.Text(phrase.Chinese, id, params), phrase.Text(phrase.English, id, params))
	w.failed = errors.Join(w.failed, err)
}

func (w *why) explain(ctx context.Context, ch config.Channel, name string) error {
	_, err := fmt.Fprintf(w.out, "%s · %s\n", ch.Name, strconv.QuoteToGraphic(name))
	w.failed = errors.Join(w.failed, err)
	kind, ours := w.library.Kind(ch.Name, name)
	switch {
	case watch.Ignored(name):
		w.say("reason.name_ignored", nil)
		return nil
	case !ours:
		w.say("reason.name_unknown", nil)
		return nil
	}
	w.say("why.kind", map[string]string{"kind": string(kind)})
	w.file(ch, name)
	w.settling(ch)
	all, asked, err := w.uploads(ctx, ch.Name, name)
	switch {
	case errors.Is(err, errNoJournal):
		w.say("why.no_journal", nil)
		return nil
	case err != nil:
		return err
	}
	w.say(map[bool]string{true: "why.asked", false: "why.read"}[asked], nil)
	if len(all) == 0 {
		w.say("why.never", map[string]string{"rescan": w.cfg.RescanInterval.String()})
		return nil
	}
	w.upload(ch, all[0])
	if len(all) > 1 {
		w.say("why.earlier", map[string]string{"n": strconv.Itoa(len(all) - 1)})
	}
	return nil
}

// file says what stands in the watched directory.
func (w *why) file(ch config.Channel, name string) {
	info, err := os.Lstat(filepath.Join(ch.WatchDir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.say("why.not_there", map[string]string{"dir": ch.WatchDir})
	case err != nil:
		w.say("reason.source_unreadable", nil)
	case !info.Mode().IsRegular():
		w.say("reason.not_a_regular_file", nil)
	default:
		w.say("why.there", map[string]string{"size": strconv.FormatInt(info.Size(), 10), "time": w.time(info.ModTime())})
	}
}

// settling says when a file counts as complete, and what holds it back.
func (w *why) settling(ch config.Channel) {
	w.say("why.settle."+w.cfg.Settle, map[string]string{"quiet": w.cfg.QuietPeriod.String(), "twice": (2 * w.cfg.QuietPeriod).String()})
	block := string(ch.BlockOn)
	if block == "" {
		block = "never"
	}
	w.say("why.block."+block, nil)
}

// upload explains the latest upload of the file.
func (w *why) upload(ch config.Channel, u upload.Upload) {
	w.say("why.upload", map[string]string{"id": string(u.ID), "time": w.time(u.SpottedAt)})
	w.say("why.state."+string(u.State), nil)
	if u.Reason != "" {
		w.say("reason."+string(u.Reason), nil)
		if phrase.Has("remedy." + string(u.Reason)) {
			w.say("remedy."+string(u.Reason), nil)
		}
	}
	if u.Digest != "" {
		w.say("why.findings", map[string]string{
			"fatal": strconv.FormatInt(u.Findings.Fatal, 10), "error": strconv.FormatInt(u.Findings.Error, 10), "warning": strconv.FormatInt(u.Findings.Warning, 10),
			"rows": strconv.FormatInt(u.Rows, 10), "digest": u.Digest,
		})
	}
	if !u.SentAt.IsZero() {
		w.say("why.sent", map[string]string{"time": w.time(u.SentAt), "polls": strconv.Itoa(u.Polls)})
	}
	if u.Verdict != "" {
		w.say("result.verdict."+string(u.Verdict), nil)
	}
	w.say("why.place."+string(u.Place), map[string]string{"path": u.Path})
	w.next(ch, u)
}

// next says what happens next, and when.
func (w *why) next(ch config.Channel, u upload.Upload) {
	at := w.time(u.NextAttemptAt)
	if !u.NextAttemptAt.After(w.now) {
		at = "现在 / now"
	}
	params := map[string]string{"time": at, "attempt": strconv.Itoa(u.Attempt)}
	switch {
	case u.State == upload.StateDecided && u.Verdict.Good():
		w.say("why.next.decided."+ch.OnAccepted, params)
	case u.State == upload.StateDecided:
		w.say("why.next.decided."+ch.OnRejected, params)
	case u.State.Open():
		w.say("why.next."+string(u.State), params)
	case u.State == upload.StateFailed:
		w.say("why.next.failed", params)
	case u.Place == upload.InArchive || u.Place == upload.InQuarantine:
		w.kept(u)
	case u.Place == upload.InWatch:
		w.say("why.next.known", nil)
	default:
		w.say("why.next.nothing", nil)
	}
}

// kept says how long an original that was put away is kept.
func (w *why) kept(u upload.Upload) {
	age := w.cfg.ArchiveRetention
	if u.Place == upload.InQuarantine {
		age = w.cfg.QuarantineRetention
	}
	if age <= 0 || u.Verdict == upload.Unresolved || u.Reason == upload.OriginalChanged {
		w.say("why.next.kept", nil)
		return
	}
	w.say("why.next.expires", map[string]string{"time": w.time(u.FinishedAt.Add(age))})
}

func (w *why) time(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -0700") }

// uploads are those of the file, the latest first, and whether the running
// program told of them.
func (w *why) uploads(ctx context.Context, ch upload.Channel, name string) (all []upload.Upload, asked bool, err error) {
	all, err = w.ask(ctx, ch, name)
	if err == nil || !errors.Is(err, errUnanswered) {
		return all, true, err
	}
	if w.cfg.DatabaseURL.IsSet() {
		return nil, false, fmt.Errorf("程序没有回应，日志库不在本机 / the program does not answer, and the journal is not on this machine: %w", err)
	}
	if _, err := os.Stat(filepath.Join(w.cfg.StateDir, sqlite.FileName)); errors.Is(err, fs.ErrNotExist) {
		return nil, false, errNoJournal
	}
	j, err := sqlite.OpenReadOnly(ctx, w.cfg.StateDir)
	if err != nil {
		return nil, false, err
	}
	defer j.Close() //nolint:errcheck // read only
	page, err := j.List(ctx, journal.Filter{Channels: []upload.Channel{ch}, Filename: name}, "", 100)
	return exactly(page.Uploads, name), false, err
}

func exactly(all []upload.Upload, name string) (same []upload.Upload) {
	for _, u := range all {
		if u.Filename == name {
			same = append(same, u)
		}
	}
	return same
}

// errUnanswered: nobody answers at LISTEN_ADDR.
var errUnanswered = errors.New("no answer")

// ask asks the running program, with whatever token the settings have.
func (w *why) ask(ctx context.Context, ch upload.Channel, name string) ([]upload.Upload, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	operator, viewer := config.NewSecrets(w.cfg, nil).Tokens()
	token := viewer
	if token == "" {
		token = operator
	}
	query := url.Values{"channel": {string(ch)}, "filename": {name}, "limit": {"100"}}
	resp, err := askSelf(ctx, w.cfg, "/uploads?"+query.Encode(), token)
	if err != nil {
		return nil, errors.Join(errUnanswered, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("程序拒绝回答，请检查 API_TOKEN / the program does not tell, check API_TOKEN: status %d", resp.StatusCode)
	}
	var page api.UploadList
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(&page); err != nil {
		return nil, fmt.Errorf("read the program's answer: %w", err)
	}
	var all []upload.Upload
	for _, v := range page.Items {
		all = append(all, shownUpload(v))
	}
	return exactly(all, name), nil
}

// shownUpload is an upload as far as the API shows it.
func shownUpload(v api.Upload) upload.Upload {
	u := upload.Upload{
		ID: upload.ID(v.ID), Filename: v.Filename, State: upload.State(v.State), Attempt: v.Attempt, Polls: v.Polls,
		Place: upload.Place(v.Place), SpottedAt: v.SpottedAt,
		Findings: upload.Tally{Fatal: v.Findings.Fatal, Error: v.Findings.Error, Warning: v.Findings.Warning},
	}
	u.Verdict, u.Reason = upload.Verdict(given(v.Verdict)), upload.Reason(given(v.Reason))
	u.Digest, u.Path, u.Rows = given(v.Digest), given(v.Path), given(v.Rows)
	u.SentAt, u.NextAttemptAt, u.FinishedAt = given(v.SentAt), given(v.NextAttemptAt), given(v.FinishedAt)
	return u
}

func given[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
