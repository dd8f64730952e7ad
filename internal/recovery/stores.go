package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// What the retire stage names its files.
const (
	asidePrefix  = ".hqms-"
	asideSuffix  = ".aside"
	resultSuffix = ".result.json"
	textSuffix   = ".result.txt"
	changedDir   = "changed"
	maxResult    = 16 << 20
)

func asideOf(name string) (upload.ID, bool) {
	rest, dotted := strings.CutPrefix(name, asidePrefix)
	rest, aside := strings.CutSuffix(rest, asideSuffix)
	return upload.ID(rest), dotted && aside && upload.ID(rest).Valid()
}

// home is the directory of one upload in the archive or the quarantine.
type home struct {
	place   upload.Place
	channel upload.Channel
	date    time.Time
	id      upload.ID
	path    string
}

// fromStores finds the originals in the archive and the quarantine.
func (r *rebuilding) fromStores(ctx context.Context) error {
	for _, place := range []upload.Place{upload.InArchive, upload.InQuarantine} {
		channels, err := r.dirs(string(place))
		if err != nil {
			return err
		}
		for _, ch := range channels {
			dates, err := r.dirs(path.Join(string(place), ch))
			if err != nil {
				return err
			}
			for _, date := range dates {
				if err := r.day(ctx, place, ch, date); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// dirs are the names in a directory, sorted; none if it is not there.
func (r *rebuilding) dirs(name string) ([]string, error) {
	entries, err := r.State.ListSorted(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name, ".") && e.Type&fs.ModeSymlink == 0 {
			names = append(names, e.Name)
		}
	}
	return names, err
}

func (r *rebuilding) day(ctx context.Context, place upload.Place, ch, date string) error {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return nil //nolint:nilerr // not of our making
	}
	ids, err := r.dirs(path.Join(string(place), ch, date))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !upload.ID(id).Valid() {
			continue
		}
		h := home{place, upload.Channel(ch), day, upload.ID(id), path.Join(string(place), ch, date, id)}
		if err := r.stored(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// stored brings back the upload whose original is in h.
func (r *rebuilding) stored(ctx context.Context, h home) error {
	name, where, err := r.original(h)
	if err != nil || name == "" {
		return err
	}
	u, known, err := r.ledger.Find(ctx, h.id)
	if err != nil {
		return err
	}
	if known {
		if u.State != upload.StateRetired || u.Place != upload.Gone {
			return nil
		}
		r.done.Stored++
		return r.ledger.Act(ctx, h.id, upload.Relocated(h.place, where))
	}
	u, err = r.guess(ctx, h, name, where)
	if err != nil {
		r.done.Unreadable++
		r.Logger.Error("a stored original could not be read, it is not in the rebuilt journal",
			slog.String("upload_id", string(h.id)), slog.Any("error", err))
		return ctx.Err()
	}
	n, err := r.ledger.Readmit(ctx, []upload.Upload{u}, r.Now())
	r.done.Stored += n
	return err
}

// original is the name of the original in h, and its path; empty: there is none.
func (r *rebuilding) original(h home) (name, where string, err error) {
	for _, dir := range []string{h.path, path.Join(h.path, changedDir)} {
		names, err := r.dirs(dir)
		if errors.Is(err, durable.ErrNotRegular) {
			continue
		}
		if err != nil {
			return "", "", err
		}
		for _, name := range names {
			if strings.HasSuffix(name, resultSuffix) || strings.HasSuffix(name, textSuffix) {
				continue
			}
			if _, err := r.State.Look(path.Join(dir, name)); err == nil {
				return name, path.Join(dir, name), nil
			}
		}
	}
	return "", "", nil
}

// guess makes the row of an original that the log does not know, of the result
// beside it where there is one. Without, what is in the archive is at the server
// for certain; of what is in the quarantine nobody knows.
func (r *rebuilding) guess(ctx context.Context, h home, name, where string) (upload.Upload, error) {
	u := upload.Upload{
		ID: h.id, BatchID: string(h.id), Channel: h.channel, Filename: name, Verdict: upload.Unresolved, VerdictReason: upload.JournalRebuilt,
		SpottedAt: spotted(h), Ticket: upload.Ticket{},
	}
	if h.place == upload.InArchive {
		u.Verdict = upload.Accepted
	}
	u.TraceID, u.RootSpanID = upload.NewTraceID()
	u.Kind, _ = r.Kinds(h.channel, name)
	content, id, err := r.digest(ctx, where)
	if err != nil {
		return u, err
	}
	u.Source, u.Digest = id, content.Digest
	if h.place == upload.InQuarantine {
		r.fromResult(h, name, &u)
	}
	if u.Verdict.AtServer() {
		u.ContentKey = u.Digest
	}
	// Its verdict came at some time after it was spotted; the retention counts
	// from when it was put away.
	u.UpdatedAt = time.Unix(0, id.ChangeTime).UTC()
	return retired(u, h.place, where), nil
}

// spotted is when the upload was spotted: its ID tells, if it fits the directory.
func spotted(h home) time.Time {
	var ms int64
	if _, err := fmt.Sscanf(strings.ReplaceAll(string(h.id), "-", "")[:12], "%x", &ms); err == nil {
		if at := time.UnixMilli(ms).UTC(); at.Format(time.DateOnly) == h.date.Format(time.DateOnly) {
			return at
		}
	}
	return h.date
}

func (r *rebuilding) digest(ctx context.Context, name string) (durable.Content, upload.Identity, error) {
	f, err := r.State.OpenRead(name)
	if err != nil {
		return durable.Content{}, upload.Identity{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	id, err := f.Identity()
	if err != nil {
		return durable.Content{}, id, err
	}
	content, err := durable.Digest(ctx, f)
	return content, id, err
}

// fromResult fills in what the result beside a quarantined original says.
func (r *rebuilding) fromResult(h home, name string, u *upload.Upload) {
	var x struct {
		ID       upload.ID      `json:"id"`
		BatchID  string         `json:"batch_id"`
		Digest   string         `json:"digest"`
		Rows     int64          `json:"rows"`
		Charset  string         `json:"charset"`
		Standard string         `json:"standard"`
		Verdict  upload.Verdict `json:"verdict"`
		Reason   upload.Reason  `json:"reason"`
		SentAt   time.Time      `json:"sent_at"`

		Receipt *upload.Receipt `json:"receipt"`
		Tally   upload.Tally    `json:"findings_total"`
	}
	f, err := r.State.OpenRead(path.Join(h.path, resultName(name)))
	if err != nil {
		return
	}
	defer f.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(f, maxResult))
	if err != nil || json.Unmarshal(text, &x) != nil || x.ID != h.id || !x.Verdict.Valid() {
		return
	}
	if strings.HasPrefix(x.Digest, "sha-256:") {
		u.Digest = x.Digest // of what was sent: the file may be what it was changed into
	}
	u.BatchID, u.Rows, u.Standard, u.Verdict, u.SentAt = x.BatchID, max(x.Rows, 0), x.Standard, x.Verdict, x.SentAt
	u.Receipt, u.Findings = x.Receipt, x.Tally
	if x.Charset == "utf-8" || x.Charset == "gb18030" {
		u.Charset = x.Charset
	}
	if x.Reason.Valid() {
		u.VerdictReason = x.Reason
	}
}

// resultName is the name of the result beside name, as the retire stage cuts it.
func resultName(name string) string {
	const maxName = 255
	for len(name) > maxName-len(resultSuffix) {
		name = name[:len(name)-1]
	}
	return strings.ToValidUTF8(name, "") + resultSuffix
}
