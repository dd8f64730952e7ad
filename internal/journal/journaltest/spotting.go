package journaltest

import (
	"errors"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var spotting = map[string]func(*fixture){
	"a sighting begins an upload that reads back whole": func(f *fixture) {
		s := f.sighting("flu_20260301.csv")
		u, spotting, err := f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("spotting", spotting, upload.Began)
		want := upload.Upload{
			ID: u.ID, BatchID: s.BatchID, Channel: s.Channel, Kind: s.Kind, Filename: s.Filename, Source: s.Seen,
			State: upload.StateSpotted, Place: upload.InWatch, Path: s.Filename,
			SpottedAt: f.now, UpdatedAt: f.now, NextAttemptAt: f.now, TraceID: u.TraceID, RootSpanID: u.RootSpanID,
		}
		f.same("returned", u, want)
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		f.same("stored", got, want)
		events, err := f.j.Events(f.ctx, u.ID)
		f.must(err)
		f.same("events", events, []upload.Event{{Seq: events[0].Seq, UploadID: u.ID, Channel: u.Channel, At: f.now, Name: "spotted", To: upload.StateSpotted}})
	},
	"a file complete at sight settles as its upload begins": func(f *fixture) {
		s := f.sighting("flu_1.csv")
		s.Complete = true
		u, spotting, err := f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("spotting", spotting, upload.Began)
		f.same("state", u.State, upload.StateSettled)
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		f.same("stored", got, u)
		events, err := f.j.Events(f.ctx, u.ID)
		f.must(err)
		f.same("events", events, []upload.Event{
			{Seq: events[0].Seq, UploadID: u.ID, Channel: u.Channel, At: f.now, Name: "spotted", To: upload.StateSpotted},
			{Seq: events[0].Seq + 1, UploadID: u.ID, Channel: u.Channel, At: f.now, Name: "settled", From: upload.StateSpotted, To: upload.StateSettled},
		})
		s.Seen.Size++ // what is under way is not touched by what is seen meanwhile
		_, spotting, err = f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("spotting again", spotting, upload.Underway)
		f.mustClaim(u.ID)
	},
	"a sighting without batch gets one": func(f *fixture) {
		s := f.sighting("flu_1.csv")
		s.BatchID = ""
		u, _, err := f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("length of batch id", len(u.BatchID), 36)
	},
	"a file of an open upload is underway": func(f *fixture) {
		first := f.spot("flu_1.csv")
		for _, forced := range []bool{false, true} {
			s := f.sighting("flu_1.csv")
			s.Seen.Size, s.Forced = 2000, forced
			u, spotting, err := f.j.Spot(f.ctx, s)
			f.must(err)
			f.same("spotting", spotting, upload.Underway)
			f.same("upload", u, first)
		}
	},
	"several sightings are answered each, and begin in their order": func(f *fixture) {
		open := f.spot("flu_open.csv")
		names := []string{"flu_b.csv", "flu_open.csv", "flu_a.csv", "flu_b.csv", "no/name.csv", "flu_c.csv"}
		var all []upload.Sighting
		for _, name := range names {
			all = append(all, f.sighting(name))
		}
		got := f.j.SpotAll(f.ctx, all)
		for i, want := range []upload.Spotting{upload.Began, upload.Underway, upload.Began, upload.Underway, "", upload.Began} {
			if got[i].How != want || (got[i].Err != nil) != (want == "") {
				f.Fatalf("%s: %s, %v; want %s", names[i], got[i].How, got[i].Err, want)
			}
		}
		f.same("the open one", got[1].Upload.ID, open.ID)
		f.same("the second sighting of one file", got[3].Upload.ID, got[0].Upload.ID)
		f.mustClaim(open.ID)
		for _, i := range []int{0, 2, 5} {
			f.mustClaim(got[i].Upload.ID)
		}
	},
	"another channel's file of the same name is another upload": func(f *fixture) {
		f.spot("hqms_1.csv")
		s := f.sighting("hqms_1.csv")
		s.Channel = upload.HQMS
		_, spotting, err := f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("spotting", spotting, upload.Began)
	},
	"content dealt with and left in place is known, unless forced or changed": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateDecided)
		u = f.record(u, upload.Retired(upload.InWatch, u.Filename, ""), false)
		s := f.sighting("flu_1.csv")
		got, spotting, err := f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("spotting", spotting, upload.Known)
		f.same("upload", got.ID, u.ID)

		s.Forced = true
		_, spotting, err = f.j.Foretell(f.ctx, s)
		f.must(err)
		f.same("foretold of a forced one", spotting, upload.Began)
		s.Forced, s.Seen.ModTime = false, s.Seen.ModTime+1
		got, spotting, err = f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("spotting of changed content", spotting, upload.Began)
		f.same("replaces", got.ReplacesID, u.ID)
	},
	"a file name that comes again follows its latest finished upload": func(f *fixture) {
		f.bring("flu_1.csv", digest("a"), upload.StateRetired)
		f.later(time.Second)
		second := f.bring("flu_1.csv", digest("b"), upload.StateRetired)
		f.now = f.now.Add(-time.Hour) // a clock that was set back changes nothing
		third := f.bring("flu_1.csv", digest("c"), upload.StateSettled)
		third = f.record(third, upload.Failed(upload.SourceUnreadable, ""), false)
		f.same("third replaces", third.ReplacesID, second.ID)
		s := f.sighting("flu_1.csv")
		s.Seen.Size++
		fourth, _, err := f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("fourth replaces the finished, not the failed", fourth.ReplacesID, second.ID)
	},
	"an older upload taken up again keeps its file": func(f *fixture) {
		older := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		f.record(older, upload.Failed(upload.SourceUnreadable, ""), false)
		s := f.sighting("flu_1.csv")
		s.Seen.Size++
		newer, _, err := f.j.Spot(f.ctx, s)
		f.must(err)
		if _, err := f.j.Act(f.ctx, older.ID, upload.Retried(), f.now); !errors.Is(err, journal.ErrConflict) {
			f.Fatalf("two open uploads of a file: %v, want ErrConflict", err)
		}
		_, err = f.j.Act(f.ctx, newer.ID, upload.Cancelled(), f.now)
		f.must(err)
		_, err = f.j.Act(f.ctx, older.ID, upload.Retried(), f.now)
		f.must(err)
		s.Seen.Size++
		u, spotting, err := f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("spotting", spotting, upload.Underway)
		f.same("upload", u.ID, older.ID)
	},
	"foretelling begins nothing": func(f *fixture) {
		u, spotting, err := f.j.Foretell(f.ctx, f.sighting("flu_1.csv"))
		f.must(err)
		f.same("spotting", spotting, upload.Began)
		f.same("upload", u, upload.Upload{})
		if _, err := f.j.Latest(f.ctx, upload.Flu, "flu_1.csv"); !errors.Is(err, journal.ErrNotFound) {
			f.Fatalf("latest: %v, want ErrNotFound", err)
		}
		began := f.spot("flu_1.csv")
		latest, err := f.j.Latest(f.ctx, upload.Flu, "flu_1.csv")
		f.must(err)
		f.same("latest", latest, began)
	},
	"sightings of one file at the same time begin one upload": func(f *fixture) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		began := 0
		for range 8 {
			wg.Go(func() {
				_, spotting, err := f.j.Spot(f.ctx, f.sighting("flu_1.csv"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					f.Error(err)
				}
				if spotting == upload.Began {
					began++
				}
			})
		}
		wg.Wait()
		f.same("uploads begun", began, 1)
	},
}
