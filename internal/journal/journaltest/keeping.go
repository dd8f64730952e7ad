package journaltest

import (
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var keeping = map[string]func(*fixture){
	"pruning takes what nobody needs any more, in slices": func(f *fixture) {
		end := func(name string, o upload.Outcome) upload.Upload {
			return f.record(f.bring(name, digest(name), upload.StateDecided), o, false)
		}
		goes := []upload.Upload{
			end("deleted.csv", upload.Retired(upload.Deleted, "", "")),
			end("gone.csv", upload.Retired(upload.Gone, "", upload.OriginalGone)),
			f.record(f.bring("vanished.csv", "", upload.StateSpotted), upload.Vanished(), false),
			end("replaced.csv", upload.Retired(upload.InWatch, "replaced.csv", "")),
		}
		stays := []upload.Upload{
			end("archived.csv", upload.Retired(upload.InArchive, "a", "")),
			end("kept.csv", upload.Retired(upload.InWatch, "kept.csv", "")),
			f.record(f.bring("unresolved.csv", digest("u"), upload.StateSent), upload.Decided(upload.Unresolved, "", nil), true),
		}
		stays[2] = f.record(stays[2], upload.Retired(upload.Gone, "", upload.OriginalGone), false)
		f.later(time.Hour)
		young := end("young.csv", upload.Retired(upload.Deleted, "", ""))
		s := f.sighting("replaced.csv")
		s.Seen.Size++
		replacing, _, err := f.j.Spot(f.ctx, s)
		f.must(err)
		stays = append(stays, young, replacing)

		for _, want := range []int64{3, 1, 0} {
			n, err := f.j.Prune(f.ctx, f.now, 3)
			f.must(err)
			f.same("pruned", n, want)
		}
		for _, u := range goes {
			if _, err := f.j.Get(f.ctx, u.ID); err == nil {
				f.Errorf("%s is still there", u.Filename)
			}
			f.same("events of "+u.Filename, f.events(u.ID), []string(nil))
			left, err := f.j.Findings(f.ctx, u.ID, journal.FindingFilter{})
			f.must(err)
			f.same("findings of "+u.Filename, len(left), 0)
		}
		for _, u := range stays {
			if _, err := f.j.Get(f.ctx, u.ID); err != nil {
				f.Errorf("%s: %v", u.Filename, err)
			}
		}
	},
	"the retention sweep sees what is stored, by place and age": func(f *fixture) {
		end := func(name string, p upload.Place) {
			f.record(f.bring(name, digest(name), upload.StateDecided), upload.Retired(p, "path", ""), false)
			f.later(time.Minute)
		}
		end("flu_1.csv", upload.InArchive)
		end("flu_2.csv", upload.InQuarantine)
		end("flu_3.csv", upload.InArchive)
		limit := f.now
		end("flu_4.csv", upload.InArchive)
		end("flu_5.csv", upload.Deleted)
		stored := func(p upload.Place, before time.Time, n int) (names []string) {
			all, err := f.j.Stored(f.ctx, p, before, "", n)
			f.must(err)
			for _, u := range all {
				names = append(names, u.Filename)
			}
			return names
		}
		f.same("archive", stored(upload.InArchive, limit, 9), []string{"flu_1.csv", "flu_3.csv"})
		f.same("first of archive", stored(upload.InArchive, limit, 1), []string{"flu_1.csv"})
		first, err := f.j.Stored(f.ctx, upload.InArchive, f.now, "", 1)
		f.must(err)
		next, err := f.j.Stored(f.ctx, upload.InArchive, f.now, first[0].ID, 1)
		f.must(err)
		f.same("after the first", next[0].Filename, "flu_3.csv")
		f.same("quarantine", stored(upload.InQuarantine, f.now, 9), []string{"flu_2.csv"})
		f.same("what is not stored", stored(upload.Deleted, f.now, 9), []string(nil))
	},
	"a channel's standing is kept": func(f *fixture) {
		got, err := f.j.Channel(f.ctx, upload.Flu)
		f.must(err)
		f.same("never saved", got, journal.ChannelRecord{Channel: upload.Flu})
		r := journal.ChannelRecord{
			Channel: upload.Flu, State: "refused", Reason: upload.CredentialsRefused, Detail: "密码错误",
			Paused: true, PausedBy: "operator", PausedAt: f.now, RefusedSince: f.now.Add(time.Second), NextProbeAt: f.now.Add(time.Hour),
			RefusalsToday: 3, RefusalDay: "2026-03-01", CredentialHash: "abc", UpdatedAt: f.now,
		}
		f.must(f.j.SaveChannel(f.ctx, r))
		got, err = f.j.Channel(f.ctx, upload.Flu)
		f.must(err)
		r.Seen = r.UpdatedAt
		f.same("saved", got, r)
		f.must(f.j.SaveChannel(f.ctx, journal.ChannelRecord{Channel: upload.Flu, State: "ready", Seen: r.UpdatedAt}))
		got, err = f.j.Channel(f.ctx, upload.Flu)
		f.must(err)
		f.same("saved again", got, journal.ChannelRecord{Channel: upload.Flu, State: "ready"})
	},
	"a channel's standing made from an old one is refused": func(f *fixture) {
		first := journal.ChannelRecord{Channel: upload.Flu, State: "ok", UpdatedAt: f.now}
		f.must(f.j.SaveChannel(f.ctx, first))
		paused := journal.ChannelRecord{Channel: upload.Flu, State: "paused", Paused: true, UpdatedAt: f.now.Add(1), Seen: f.now}
		f.must(f.j.SaveChannel(f.ctx, paused))
		for _, seen := range []time.Time{{}, f.now} {
			late := journal.ChannelRecord{Channel: upload.Flu, State: "offline", UpdatedAt: f.now.Add(2), Seen: seen}
			if err := f.j.SaveChannel(f.ctx, late); !errors.Is(err, journal.ErrConflict) {
				f.Fatalf("saved over what it had not seen: %v, want ErrConflict", err)
			}
		}
		got, err := f.j.Channel(f.ctx, upload.Flu)
		f.must(err)
		f.same("still paused", got.Paused, true)
	},
	"notes are kept": func(f *fixture) {
		v, err := f.j.Meta(f.ctx, "a")
		f.must(err)
		f.same("never written", v, "")
		f.must(f.j.SetMeta(f.ctx, "a", "1"))
		f.must(f.j.SetMeta(f.ctx, "a", "2"))
		v, err = f.j.Meta(f.ctx, "a")
		f.must(err)
		f.same("written", v, "2")
	},
	"a whole journal is found whole": func(f *fixture) {
		f.bring("flu_1.csv", digest("a"), upload.StateRetired)
		f.must(f.j.Verify(f.ctx))
	},
}
