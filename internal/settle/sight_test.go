package settle

import (
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestAFileIsCompleteAtSight(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		mode    Mode
		renamed bool
		change  func(w *world)
		want    bool
	}{
		"auto, renamed into place":             {Auto, true, nil, true},
		"auto, written in place":               {Auto, false, nil, false},
		"auto, renamed with a writer left":     {Auto, true, writer(Writing), false},
		"auto, renamed, the probe cannot say":  {Auto, true, doubtful, false},
		"auto, renamed, empty":                 {Auto, true, text(""), true},
		"closed":                               {Closed, false, nil, true},
		"closed, a writer left":                {Closed, false, writer(Writing), false},
		"closed, the probe cannot say":         {Closed, true, doubtful, false},
		"closed, still empty":                  {Closed, false, text(""), false},
		"closed, empty and renamed into place": {Closed, true, text(""), true},
		"quiet, renamed into place":            {Quiet, true, nil, false},
		"marker, renamed into place":           {Marker, true, mark("size=2"), false},
		"written to between look and probe":    {Auto, true, func(w *world) { w.onProbe = func() { w.write(name, "more") } }, false},
		"gone between look and probe":          {Closed, true, func(w *world) { w.onProbe = func() { delete(w.files, name) } }, false},
		"the directory is away after the look": {Closed, true, func(w *world) { w.onProbe = func() { w.broken = durable.ErrNoDir } }, false},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write(name, "ab")
			w.renamed = c.renamed
			if c.change != nil {
				c.change(w)
			}
			s := w.stage(c.mode)
			seen, err := w.Look(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.AtSight(upload.Sighting{Channel: upload.Flu, Filename: name, Seen: seen}); got != c.want {
				t.Errorf("complete at sight: %v, want %v", got, c.want)
			}
			if n := s.memory.size(); n != 0 {
				t.Errorf("%d looks remembered of a file that is no upload yet", n)
			}
		})
	}
	if newWorld(t).stage(Closed).AtSight(upload.Sighting{Channel: upload.HQMS, Filename: name}) {
		t.Error("a file of a channel that is not ours is complete")
	}
}
