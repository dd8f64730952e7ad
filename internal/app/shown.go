package app

import (
	"context"
	"fmt"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/channel"
	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/settle"
	"github.com/hqms-sidecar/hqms-sidecar/internal/telemetry"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/probe"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/watch"
)

// shown shows the channels and acts on them.
type shown struct{ a *App }

var (
	_ httpapi.Channels = shown{}
	_ telemetry.Source = shown{}
)

// List implements httpapi.Channels.
func (s shown) List(ctx context.Context) ([]httpapi.Channel, error) {
	backlog, err := s.a.journal.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	accepted, err := s.a.journal.LastAccepted(ctx)
	if err != nil {
		return nil, err
	}
	var all []httpapi.Channel
	for _, l := range s.a.ordered() {
		all = append(all, s.view(l, backlog, accepted))
	}
	return all, nil
}

func (s shown) view(l *line, backlog []journal.Backlog, accepted []journal.Acceptance) httpapi.Channel {
	standing, seen := l.gate.Status(), l.watcher.Status()
	settling, _ := s.a.stages.settle.Status(l.Name)
	v := httpapi.Channel{
		Name: l.Name, ServerURL: l.ServerURL.String(), Protocol: l.Protocol, WatchDir: l.WatchDir,
		SettleMode: string(settling.Mode), WriterProbe: probed(settling.Probe), LeftAlone: int64(seen.NotOurs), LinkSpeed: int64(8 * s.a.link(l.Name)),
		Directory:     directoryOf(seen, settling),
		ServerMessage: standing.ServerMessage, PausedBy: standing.PausedBy, Since: since(standing),
		NextProbeAt: standing.NextProbeAt, LastAccepted: map[upload.Kind]time.Time{},
		Backlog: httpapi.Backlog{States: map[upload.State]int64{}},
	}
	v.State, v.Reason, v.Detail = stateOf(standing, seen)
	v.Watching = watching(seen)
	now := s.a.journal.Now()
	for _, b := range backlog {
		if b.Channel != l.Name {
			continue
		}
		v.Backlog.Files += b.Files
		v.Backlog.Bytes += b.Bytes
		v.Backlog.States[b.State] += b.Files
		v.Backlog.Oldest = max(v.Backlog.Oldest, now.Sub(b.Oldest))
	}
	for _, acc := range accepted {
		if acc.Channel == l.Name {
			v.LastAccepted[acc.Kind] = acc.At
		}
	}
	return v
}

// stateOf is a channel's state with what the watch knows: a directory that is
// not there blocks as much as a full disk.
func stateOf(standing channel.Status, seen watch.Status) (state string, r upload.Reason, detail string) {
	if seen.Reason != "" && (standing.State == channel.OK || standing.State == channel.Offline) {
		return string(channel.Blocked), seen.Reason, seen.Detail
	}
	return string(standing.State), standing.Reason, standing.Detail
}

// directoryOf is the watched directory as the watch and the writer probe see it.
func directoryOf(seen watch.Status, settling settle.Status) httpapi.Directory {
	d := httpapi.Directory{
		FileSystem: seen.FileSystem, Network: seen.Network, SelfTest: string(seen.SelfTest), ProbeDoubt: string(settling.Doubt),
		Overflows: seen.Overflows, Ours: seen.Ours, Ignored: seen.Ignored, NotOurs: seen.NotOurs,
		LastScan: seen.LastScan, LastScanTook: seen.LastScanTook, Looked: seen.Looked,
	}
	for _, u := range seen.UnfitFiles {
		d.Unfit = append(d.Unfit, httpapi.Unfit(u))
	}
	return d
}

// probed is empty while nothing was.
func probed(p settle.ProbeState) string {
	if p == settle.Untried {
		return ""
	}
	return string(p)
}

// since is when the shown state began, as far as it is known.
func since(s channel.Status) time.Time {
	switch s.State {
	case channel.Paused:
		return s.PausedAt
	case channel.Refused:
		return s.RefusedSince
	case channel.Offline:
		return s.OfflineSince
	default:
		return time.Time{}
	}
}

// watching says how files are found.
func watching(seen watch.Status) string {
	switch {
	case seen.Reason != "":
		return ""
	case seen.Events != watch.EventsOn || seen.SelfTest == watch.TestNoEvents:
		return "rescans"
	default:
		return "events"
	}
}

// one finds a channel in the list.
func (s shown) one(ctx context.Context, name upload.Channel) (httpapi.Channel, error) {
	all, err := s.List(ctx)
	if err != nil {
		return httpapi.Channel{}, err
	}
	for _, ch := range all {
		if ch.Name == name {
			return ch, nil
		}
	}
	return httpapi.Channel{}, httpapi.ErrUnknownChannel
}

// Test implements httpapi.Channels.
func (s shown) Test(ctx context.Context, name upload.Channel, tell func(httpapi.Step)) (httpapi.TestResult, error) {
	l, ok := s.a.lines[name]
	if !ok {
		return httpapi.TestResult{}, httpapi.ErrUnknownChannel
	}
	s.a.secrets.Reload(ctx)
	checks := probe.Run(ctx, l.client.Target(l.gate.Test), func(c probe.Check) { tell(stepOf(c)) })
	result := httpapi.TestResult{OK: probe.OK(checks)}
	for _, c := range checks {
		if c.Result == probe.Skipped {
			continue
		}
		if c.Result == probe.Failed && result.Reason == "" {
			result.Reason, result.Detail = c.Reason, c.Detail
		}
		result.Steps = append(result.Steps, stepOf(c))
	}
	return result, nil
}

func stepOf(c probe.Check) httpapi.Step {
	return httpapi.Step{Name: string(c.Step), State: httpapi.StepState(c.Result), Detail: c.Detail, Took: c.Took}
}

// Pause implements httpapi.Channels.
func (s shown) Pause(ctx context.Context, name upload.Channel) (httpapi.Channel, error) {
	l, ok := s.a.lines[name]
	if !ok {
		return httpapi.Channel{}, httpapi.ErrUnknownChannel
	}
	if err := l.gate.Pause(ctx, "api"); err != nil {
		return httpapi.Channel{}, fmt.Errorf("pause channel %s: %w", name, err)
	}
	s.a.keepPause(l)
	return s.one(ctx, name)
}

// Resume implements httpapi.Channels.
func (s shown) Resume(ctx context.Context, name upload.Channel) (httpapi.Channel, error) {
	l, ok := s.a.lines[name]
	if !ok {
		return httpapi.Channel{}, httpapi.ErrUnknownChannel
	}
	if err := l.gate.Resume(ctx); err != nil {
		return httpapi.Channel{}, fmt.Errorf("resume channel %s: %w", name, err)
	}
	s.a.keepPause(l)
	return s.one(ctx, name)
}

// Snapshot implements telemetry.Source: what the gauges show.
func (s shown) Snapshot(ctx context.Context) (telemetry.Snapshot, error) {
	snap := telemetry.Snapshot{At: s.a.journal.Now()}
	backlog, err := s.a.journal.Backlog(ctx)
	if err != nil {
		return snap, err
	}
	for _, b := range backlog {
		snap.Backlog = append(snap.Backlog, telemetry.Backlog(b))
	}
	accepted, err := s.a.journal.LastAccepted(ctx)
	if err != nil {
		return snap, err
	}
	for _, acc := range accepted {
		snap.LastAccepted = append(snap.LastAccepted, telemetry.LastAccepted{Channel: acc.Channel, Kind: acc.Kind, At: acc.At})
	}
	var states []string
	for _, st := range channel.States() {
		states = append(states, string(st))
	}
	if snap.Alerts, err = s.a.openAlerts(ctx); err != nil {
		return snap, err
	}
	for _, l := range s.a.ordered() {
		state, _, _ := stateOf(l.gate.Status(), l.watcher.Status())
		snap.Channels = append(snap.Channels, telemetry.ChannelState{Channel: l.Name, State: state, States: states})
	}
	snap.Missing = s.a.missing()
	return snap, nil
}
