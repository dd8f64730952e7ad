package app

import (
	"context"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/confirm"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pipeline"
	"github.com/hqms-sidecar/hqms-sidecar/internal/retire"
	"github.com/hqms-sidecar/hqms-sidecar/internal/settle"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
)

// stages are the stations of the way after the watch.
type stages struct {
	settle   *settle.Stage
	validate *validate.Stage
	pack     *pack.Stage
	transmit *transmit.Stage
	confirm  *confirm.Stage
	retire   *retire.Stage
	putAway  func(ctx context.Context, u upload.Upload) (upload.Outcome, error) // retire, after the verdict is kept
	open     func(ctx context.Context, u upload.Upload) bool                    // the gate that u waits for
}

// list is the way of a file.
func (s stages) list() []pipeline.Stage {
	return []pipeline.Stage{
		{Name: "settle", From: upload.StateSpotted, Crew: pipeline.Light, Run: s.settle.Run},
		{Name: "validate", From: upload.StateSettled, Crew: pipeline.Heavy, Run: s.validate.Run, Joins: quicklyRead},
		{Name: "pack", From: upload.StateValidated, Crew: pipeline.Heavy, Run: s.pack.Run},
		{Name: "transmit", From: upload.StatePacked, Crew: pipeline.Heavy, Run: s.transmit.Run, Overtaken: s.open},
		{Name: "confirm", From: upload.StateSent, Crew: pipeline.Asking, Run: s.confirm.Run},
		{Name: "retire", From: upload.StateDecided, Crew: pipeline.Asking, Run: s.putAway},
	}
}

// quicklyRead reports whether a file is read again, checked and packed, in a few
// milliseconds: then what came of reading it need not be recorded before it is packed.
func quicklyRead(u upload.Upload) bool { return u.Source.Size <= 1<<20 }

// newStages makes them.
func (a *App) newStages() stages {
	cfg, log := a.cfg, a.log
	settling := map[upload.Channel]settle.ChannelOptions{}
	sources := map[upload.Channel]validate.Source{}
	looks := map[upload.Channel]pack.Source{}
	sending := map[upload.Channel]transmit.Channel{}
	asking := map[upload.Channel]confirm.Channel{}
	dirs := map[upload.Channel]*durable.Dir{}
	policies := map[upload.Channel]retire.Policy{}
	blockOn := map[upload.Channel]upload.Severity{}
	checks := map[upload.Channel]validate.Options{}
	for name, l := range a.lines {
		settling[name] = settle.ChannelOptions{Dir: settle.From(l.dir), Mode: settle.Mode(cfg.Settle), Quiet: cfg.QuietPeriod, Hints: l.watcher}
		sources[name] = validate.DirSource{Dir: l.dir}
		looks[name] = l.dir
		sending[name] = transmit.Channel{Protocol: l.client, Gate: l.gate, Coding: codingOf(cfg, name), WhileSending: true}
		asking[name] = confirm.Channel{Results: l.client, Gate: l.gate}
		dirs[name] = l.dir
		policies[name] = retire.Policy{
			OnAccepted: retire.Action(l.OnAccepted), OnRejected: retire.Action(l.OnRejected), Markers: settle.Mode(cfg.Settle) == settle.Marker,
		}
		blockOn[name] = l.BlockOn
		checks[name] = checkOptions(cfg, l.Channel)
	}
	packing := pack.New(pack.Options{
		Spool: a.spool, Sources: looks, Contents: a.journal, Limit: int64(cfg.SpoolLimit), Reserve: int64(cfg.DiskReserve), Logger: log,
		Shared: a.journal.Shared(), Hold: 1 << 20, Now: a.now,
		Level: a.level, Packed: a.chooser.Packed,
	})
	a.life.onStop("packed copies", func(context.Context) error { packing.Close(); return nil })
	backoff := upload.Backoff{Min: cfg.RetryMin, Max: cfg.RetryMax}
	return stages{
		settle: settle.New(settle.Options{Channels: settling, Now: a.now}),
		validate: validate.New(validate.StageOptions{
			Library: a.standards, Sources: sources, Packer: packer{packing}, BlockOn: blockOn, Check: checks, Batches: a.batches, Now: a.now,
		}),
		pack: packing,
		transmit: transmit.New(transmit.Options{
			Channels: sending, Spool: packing, Tickets: ticketKeeper{a}, Backoff: backoff, FirstPoll: cfg.PollMin, Progress: a.sending.note, Logger: log, Now: a.now, Journal: a.journal.Now,
			Window: a.opens, Paced: a.newBucket().Reader, Recompress: a.recompress(packing),
		}),
		confirm: confirm.New(confirm.Options{
			Channels: asking, Earlier: a.journal, PollMin: cfg.PollMin, PollMax: cfg.PollMax,
			Deadline: cfg.ResultDeadline, Grace: cfg.UnknownGrace, ResendMax: cfg.RetryMax, Logger: log, Now: a.now, Journal: a.journal.Now,
		}),
		putAway: a.putAway,
		open:    a.opened,
		retire: retire.New(retire.Options{
			Watch: dirs, State: a.state, Policies: policies, Spool: packing, Findings: foundBy{a.journal}, Logger: log, Now: a.now,
		}),
	}
}

// checkOptions are how a channel's files are checked.
func checkOptions(cfg *config.Config, ch config.Channel) validate.Options {
	o := validate.Options{Standard: ch.Standard}
	if ch.Name == upload.HQMS {
		o.Codings = validate.Codings{
			Diagnosis: string(cfg.ICD10Diagnosis), Morphology: string(cfg.ICD10Morphology), Procedure: string(cfg.ICD9Procedure),
		}
	}
	return o
}

// packer is the spool as validate writes to it.
type packer struct{ *pack.Stage }

// Begin implements validate.Packer.
func (p packer) Begin(ctx context.Context, u upload.Upload) (validate.Packing, error) {
	return p.Stage.Begin(ctx, u)
}

// foundBy reads findings for the result beside a quarantined original.
type foundBy struct{ j *journal.Journal }

// Findings implements retire.Findings.
func (f foundBy) Findings(ctx context.Context, id upload.ID, limit int) ([]upload.Finding, error) {
	numbered, err := f.j.Findings(ctx, id, journal.FindingFilter{Limit: limit})
	if err != nil {
		return nil, err
	}
	found := make([]upload.Finding, len(numbered))
	for i, n := range numbered {
		found[i] = n.Finding
	}
	return found, nil
}
