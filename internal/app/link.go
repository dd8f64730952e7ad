package app

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// linksEvery is how often the speed of links is kept.
	linksEvery = time.Minute
	// lastLinks is how long that may take at the end.
	lastLinks = 2 * time.Second
)

// linkKey is where the journal keeps the speed of a channel's link.
func linkKey(ch upload.Channel) string { return "link_bytes_per_second." + string(ch) }

// newChooser makes the chooser of levels, with what the journal knows of the
// links. What cannot be read is measured anew.
func (a *App) newChooser(ctx context.Context) *pack.Chooser {
	known := map[upload.Channel]float64{}
	for ch := range a.lines {
		text, err := a.journal.Meta(ctx, linkKey(ch))
		if err != nil {
			a.log.Warn("speed of the link is not known", slog.String("channel", string(ch)), slog.Any("error", err))
			continue
		}
		known[ch], _ = strconv.ParseFloat(text, 64)
	}
	return pack.NewChooser(known)
}

// level chooses how a file is packed.
func (a *App) level(ch upload.Channel, size int64) int {
	if fixed := a.cfg.CompressionLevel(); fixed != 0 {
		return fixed
	}
	return a.chooser.Level(ch, size, pack.Circumstances{
		Limit: float64(a.cfg.BandwidthLimit.At(time.Now())), Ahead: a.sending.ahead(ch), WhileSending: true,
	})
}

// recompress begins to make packed copies smaller while they are sent, where the
// level is not fixed and the link is slow enough for it.
func (a *App) recompress(packing *pack.Stage) func(context.Context, upload.Upload) transmit.Recompressed {
	return func(ctx context.Context, u upload.Upload) transmit.Recompressed {
		if a.cfg.CompressionLevel() != 0 {
			return nil
		}
		level, pace := a.chooser.WhileSending(u.Channel, u.Source.Size, u.PackedSize, float64(a.cfg.BandwidthLimit.At(time.Now())))
		if r := packing.Recompress(ctx, u, level, pace); r != nil {
			return r
		}
		return nil
	}
}

// link is the speed of a channel's link in bytes per second; 0: not known.
func (a *App) link(ch upload.Channel) float64 { return a.chooser.Sent(ch, 0, 0) }

// keepingLinks keeps the speed of links over restarts, where it has changed by a
// tenth; also when ctx ends.
func (a *App) keepingLinks(ctx context.Context) {
	kept := map[upload.Channel]float64{}
	for ch := range a.lines {
		kept[ch] = a.link(ch)
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(linksEvery):
		}
		a.keepLinks(ctx, kept)
	}
}

func (a *App) keepLinks(ctx context.Context, kept map[upload.Channel]float64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLinks)
	defer cancel()
	for ch, was := range kept {
		now := a.link(ch)
		if now == 0 || now > was*0.9 && now < was*1.1 {
			continue
		}
		if err := a.journal.SetMeta(ctx, linkKey(ch), strconv.FormatFloat(now, 'f', 0, 64)); err != nil {
			a.log.Debug("speed of the link was not kept", slog.String("channel", string(ch)), slog.Any("error", err))
			continue
		}
		kept[ch] = now
	}
}
