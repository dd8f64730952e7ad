package journaltest

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func (f *fixture) alert(key string) journal.Alert {
	return journal.Alert{
		ID: upload.NewUUID(f.now), Key: key, Event: "rejected", Severity: "warning", Channel: upload.Flu, Kind: "lis",
		Params: map[string]string{"reason": "rejected_by_server"}, Files: []journal.AlertFile{{Name: "lis_1.csv", UploadID: "u"}},
		Count: 1, OpenedAt: stamp(f.now), UpdatedAt: stamp(f.now), DueAt: stamp(f.now),
	}
}

func stamp(t time.Time) time.Time { return time.Unix(0, t.UnixNano()).UTC() }

func (f *fixture) save(all ...journal.Alert) {
	f.Helper()
	f.must(f.j.ChangeAlerts(f.ctx, func(ctx context.Context, t journal.AlertTx) error {
		for _, a := range all {
			if err := t.Save(ctx, a); err != nil {
				return err
			}
		}
		return nil
	}))
}

var alerting = map[string]func(*fixture){
	"alert is read as it was saved": func(f *fixture) {
		a := f.alert("rejected/flu/lis")
		f.save(a)
		a.Count, a.AcknowledgedAt, a.AcknowledgedBy, a.LastError, a.ToldAt = 3, stamp(f.now), "operator", "no answer", stamp(f.now)
		f.save(a)
		all, err := f.j.OpenAlerts(f.ctx)
		f.must(err)
		f.same("open alerts", all, []journal.Alert{a})
	},
	"alerts that are read together share nothing": func(f *fixture) {
		a, b, c := f.alert("1"), f.alert("2"), f.alert("3")
		a.Files, a.Params = []journal.AlertFile{{Name: "lis_1.csv"}, {Name: "lis_2.csv"}}, map[string]string{"reason": "refused", "count": "2"}
		b.Files, b.Params = []journal.AlertFile{{Name: "hda_1.csv", UploadID: "u"}}, map[string]string{"detail": "full"}
		c.Files, c.Params = nil, nil
		f.save(a, b, c)
		all, err := f.j.OpenAlerts(f.ctx)
		f.must(err)
		f.same("open alerts", all, []journal.Alert{a, b, c})
	},
	"one open alert for each key": func(f *fixture) {
		a := f.alert("k")
		f.save(a)
		b := f.alert("k")
		err := f.j.ChangeAlerts(f.ctx, func(ctx context.Context, t journal.AlertTx) error { return t.Save(ctx, b) })
		if err == nil {
			f.Fatal("a second open alert of the key was saved")
		}
		a.ResolvedAt = stamp(f.now)
		f.save(a, b)
		f.must(f.j.ChangeAlerts(f.ctx, func(ctx context.Context, t journal.AlertTx) error {
			got, found, err := t.Open(ctx, "k")
			f.same("open", found, true)
			f.same("alert", got, b)
			return err
		}))
	},
	"change that fails leaves nothing": func(f *fixture) {
		refused := errors.New("refused")
		err := f.j.ChangeAlerts(f.ctx, func(ctx context.Context, t journal.AlertTx) error {
			return errors.Join(t.Save(ctx, f.alert("k")), t.SetCursor(ctx, 7), refused)
		})
		if !errors.Is(err, refused) {
			f.Fatal(err)
		}
		f.must(f.j.ChangeAlerts(f.ctx, func(ctx context.Context, t journal.AlertTx) error {
			_, found, err := t.Open(ctx, "k")
			f.same("found", found, false)
			_, known, err2 := t.Cursor(ctx)
			f.same("cursor is known", known, false)
			return errors.Join(err, err2)
		}))
	},
	"message is claimed once, apart from the one before, and again after its lease": func(f *fixture) {
		first, second := f.alert("1"), f.alert("2")
		second.DueAt = stamp(f.now.Add(time.Second))
		f.save(second, first)
		f.later(time.Minute)
		claim := func() (string, int64) {
			a, found, err := f.j.ClaimAlert(f.ctx, f.now, time.Minute, 3*time.Second)
			f.must(err)
			if !found {
				return "", 0
			}
			return a.Key, a.Fence
		}
		f.same("the longest due", first.Key, mustKey(claim()))
		f.same("too soon after it", "", mustKey(claim()))
		f.later(3 * time.Second)
		f.same("the next", second.Key, mustKey(claim()))
		f.later(3 * time.Second)
		f.same("both are claimed", "", mustKey(claim()))
		f.later(time.Minute)
		key, fence := claim()
		f.same("after its lease", first.Key, key)
		f.same("fence", fence, int64(2))
	},
	"alerts are listed by pages, the latest first": func(f *fixture) {
		for i := range 5 {
			a := f.alert(strconv.Itoa(i))
			if i == 2 {
				a.ResolvedAt, a.DueAt = stamp(f.now), time.Time{}
			}
			f.save(a)
		}
		var got []string
		cursor := ""
		for {
			p, err := f.j.ListAlerts(f.ctx, true, cursor, 3)
			f.must(err)
			for _, a := range p.Alerts {
				got = append(got, a.Key)
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		f.same("keys", got, []string{"4", "3", "1", "0"})
		_, err := f.j.ListAlerts(f.ctx, false, "nonsense", 3)
		f.same("bad cursor", errors.Is(err, journal.ErrBadCursor), true)
	},
	"a clock that has gone back holds up no message": func(f *fixture) {
		const lease, apart = time.Minute, 4 * time.Second
		claim := func(want string) {
			f.Helper()
			a, found, err := f.j.ClaimAlert(f.ctx, f.now, lease, apart)
			f.must(err)
			f.same("claimed", a.Key, want)
			f.same("found", found, want != "")
		}
		now := f.now
		f.later(8 * time.Hour)
		f.save(f.alert("claimed later"))
		claim("claimed later")
		f.save(f.alert("opened later"))
		f.now = now
		f.save(f.alert("opened now"))
		claim("opened now")
		f.later(apart + time.Second)
		claim("")
		n, err := f.j.WakeFutureAlerts(f.ctx, f.now)
		f.must(err)
		f.same("made due", n, int64(2))
		claim("claimed later")
		claim("") // so soon after
		f.later(apart + time.Second)
		claim("opened later")
	},
	"only what is resolved and told is pruned": func(f *fixture) {
		over, untold, open := f.alert("over"), f.alert("untold"), f.alert("open")
		over.ResolvedAt, over.DueAt, untold.ResolvedAt = stamp(f.now), time.Time{}, stamp(f.now)
		f.save(over, untold, open)
		f.must(f.j.ChangeAlerts(f.ctx, func(ctx context.Context, t journal.AlertTx) error {
			return t.Note(ctx, journal.AlertDelivery{AlertID: over.ID, At: f.now, Notice: "opened", OK: true})
		}))
		n, err := f.j.PruneAlerts(f.ctx, f.now.Add(time.Hour), 10)
		f.must(err)
		f.same("pruned", n, int64(1))
		left, err := f.j.AlertDeliveries(f.ctx, over.ID)
		f.must(err)
		f.same("deliveries left", len(left), 0)
	},
}

func mustKey(key string, _ int64) string { return key }
