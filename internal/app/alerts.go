package app

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/check"
	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/telemetry"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// conditionsEvery is how often it is looked whether something is the matter.
	conditionsEvery = 5 * time.Second
	// alertBackoff* bound the waits between attempts to send a message.
	alertBackoffMin = 5 * time.Second
	alertBackoffMax = 10 * time.Minute
	// conditionStands is how long what one replica has seen stands, whatever others see
	// of their own surroundings.
	conditionStands = 6 * conditionsEvery
)

// alerts tells people what is the matter.
type alerts struct {
	book     *alert.Book
	receiver *alert.Receiver // nil: there is none
	sender   *alert.Sender   // nil: there is none

	quiet journal.Moment // then nothing was the matter, and no alert said otherwise
}

// buildAlerts comes before anything happens that people are to be told of.
func (a *App) buildAlerts(ctx context.Context) error {
	p := alertPolicy(a.cfg)
	if a.journal.Shared() {
		p.Stands = conditionStands
	}
	wake := func() {}
	if p.Receiver {
		receiver, err := newReceiver(a.cfg, a.secrets, a.journal.Now)
		if err != nil {
			return err
		}
		a.life.onStop("connections to the receiver of alerts", func(context.Context) error { receiver.Close(); return nil })
		a.alerts.receiver = receiver
		a.alerts.sender = alert.NewSender(alert.SenderOptions{
			Outbox: a.journal, Post: receiver, Policy: p, Lang: phrase.Lang(a.cfg.AlertLanguage), Public: a.cfg.PublicURL.URL(),
			Now: a.journal.Now, Logger: a.log, Sent: a.telemetry.AlertSent,
		})
		wake = a.alerts.sender.Wake
	}
	a.alerts.book = alert.NewBook(a.journal, p, a.journal.Now, wake)
	return a.throughOutages(a.beginAlerts)(ctx)
}

func (a *App) beginAlerts(ctx context.Context) error {
	if err := a.alerts.book.Begin(ctx, a.journal); err != nil {
		return fmt.Errorf("begin with alerts: %w", err)
	}
	if err := a.endUnexpected(ctx); err != nil {
		return fmt.Errorf("end alerts of files that are not expected any more: %w", err)
	}
	return a.raiseRebuilt(ctx)
}

// alertPolicy is when messages are due, by the settings.
func alertPolicy(cfg *config.Config) alert.Policy {
	return alert.Policy{
		Receiver: cfg.AlertWebhookURL.IsSet(), MinSeverity: alert.Severity(cfg.AlertMinSeverity),
		GroupWait: cfg.AlertGroupWait, Repeat: alert.Format(cfg.AlertFormat).Repeat(cfg.AlertRepeat),
		Quiet: cfg.AlertQuietHours, Location: time.Local, Backoff: upload.Backoff{Min: alertBackoffMin, Max: alertBackoffMax},
	}
}

func newReceiver(cfg *config.Config, secrets *config.Secrets, now func() time.Time) (*alert.Receiver, error) {
	var roots *x509.CertPool
	if cfg.AlertCAFile != "" {
		pem, err := os.ReadFile(cfg.AlertCAFile)
		if err != nil {
			return nil, fmt.Errorf("read ALERT_CA_FILE: %w", err)
		}
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ALERT_CA_FILE %s holds no certificate in PEM form", cfg.AlertCAFile)
		}
	}
	return alert.NewReceiver(alert.Format(cfg.AlertFormat), secrets.Alerts, roots, http.ProxyFromEnvironment, now), nil
}

// raiseRebuilt tells of a journal that was made anew, once.
func (a *App) raiseRebuilt(ctx context.Context) error {
	at, _ := a.rebuiltAt(ctx)
	if at.IsZero() {
		return nil
	}
	const told = "alert_rebuilt"
	stamp := at.UTC().Format(time.RFC3339Nano)
	if before, err := a.journal.Meta(ctx, told); err != nil || before == stamp {
		return err
	}
	if err := a.alerts.book.Raise(ctx, alert.Signal{Event: alert.Rebuilt}); err != nil {
		return err
	}
	return a.journal.SetMeta(ctx, told, stamp)
}

// runAlerts follows events and conditions, and sends what is due, until ctx ends.
func (a *App) runAlerts(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() { a.followAlerts(ctx) })
	wg.Go(func() { a.followConditions(ctx) })
	wg.Go(func() { a.followServerCertificates(ctx) })
	if a.alerts.sender != nil {
		wg.Go(func() { a.alerts.sender.Run(ctx) })
	}
}

// gather is how long events gather before they are looked at: in a busy moment
// there are hundreds a second, and a message to people has that long.
const gather = 500 * time.Millisecond

// followAlerts makes alerts of what happens to files.
func (a *App) followAlerts(ctx context.Context) {
	changed := a.journal.Subscribe(ctx)
	tick := time.NewTicker(a.untold(conditionsEvery)) // another process may have been given the event and died
	defer tick.Stop()
	for ctx.Err() == nil {
		more, err := a.alerts.book.Follow(ctx, a.journal)
		if err != nil && ctx.Err() == nil {
			a.log.Warn("events were not looked at for alerts, will try again", slog.Any("error", err))
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-changed:
			select {
			case <-ctx.Done():
			case <-time.After(gather):
			}
		}
	}
}

// followConditions makes alerts of what is the matter.
func (a *App) followConditions(ctx context.Context) {
	tick := time.NewTicker(conditionsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.reconcile(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("conditions were not looked at for alerts, will try again", slog.Any("error", err))
		}
	}
}

// reconcile makes the alerts about conditions those of what is the matter now.
func (a *App) reconcile(ctx context.Context) error {
	for _, l := range a.ordered() {
		if err := l.blocks.look(ctx, a.journal.Get); err != nil {
			return err
		}
	}
	now := a.journal.Now()
	certificates, err := a.serverCertificates(ctx, now)
	if err != nil {
		return err
	}
	signals := append(a.conditions(now), certificates...)
	at := a.journal.Moment()
	if len(signals) == 0 && at.Same(a.alerts.quiet) {
		return nil // what the journal says of alerts has not changed either
	}
	a.alerts.quiet = journal.Moment{}
	err = a.alerts.book.Reconcile(ctx, conditionEvents(), signals)
	if err == nil && len(signals) == 0 {
		a.alerts.quiet = at
	}
	return err
}

// told shows the alerts and acts on them.
type told struct{ a *App }

var _ httpapi.Alerts = told{}

// List implements httpapi.Alerts.
func (t told) List(ctx context.Context, openOnly bool, cursor string, limit int) (journal.AlertPage, error) {
	return t.a.journal.ListAlerts(ctx, openOnly, cursor, limit)
}

// Open implements httpapi.Alerts.
func (t told) Open(ctx context.Context) (int64, error) {
	open, err := t.a.journal.OpenAlerts(ctx)
	return int64(len(open)), err
}

// Acknowledge implements httpapi.Alerts.
func (t told) Acknowledge(ctx context.Context, id string) (journal.Alert, error) {
	return t.a.alerts.book.Acknowledge(ctx, id, "api")
}

// Test implements httpapi.Alerts.
func (t told) Test(ctx context.Context) (httpapi.TestResult, error) {
	if t.a.alerts.receiver == nil {
		return httpapi.TestResult{}, httpapi.ErrNoReceiver
	}
	t.a.secrets.Reload(ctx)
	result := httpapi.TestResult{OK: true}
	for _, s := range t.a.alerts.receiver.Try(ctx, t.a.alerts.sender.TestMessage()) {
		step := httpapi.Step{Name: s.Name, State: httpapi.StepPassed, Detail: s.Detail, Took: s.Took}
		if !s.OK {
			step.State = httpapi.StepFailed
			result.OK, result.Detail = false, s.Detail
		}
		result.Steps = append(result.Steps, step)
	}
	return result, nil
}

// openAlerts counts the open alerts of each event, zeros too.
func (a *App) openAlerts(ctx context.Context) ([]telemetry.Alerts, error) {
	open, err := a.journal.OpenAlerts(ctx)
	if err != nil {
		return nil, err
	}
	var all []telemetry.Alerts
	for _, e := range alert.Events() {
		for _, s := range []alert.Severity{alert.Critical, alert.Warning} {
			n := telemetry.Alerts{Event: string(e), Severity: string(s)}
			for _, o := range open {
				if o.Event == n.Event && o.Severity == n.Severity {
					n.Open++
				}
			}
			if n.Open > 0 || s == e.Severity() && e != alert.Test {
				all = append(all, n)
			}
		}
	}
	return all, nil
}

// checkAlerts connects to the receiver of alerts and sends nothing.
func checkAlerts(ctx context.Context, cfg *config.Config) check.Step {
	began := time.Now()
	receiver, err := newReceiver(cfg, config.NewSecrets(cfg, nil), time.Now)
	if err == nil {
		defer receiver.Close()
		err = receiver.Reach(ctx)
	}
	s := check.Step{Name: "alerts", Status: check.OK, What: "check.step.alerts", Took: time.Since(began)}
	if err != nil {
		s.Status, s.What, s.Remedy, s.Detail = check.Fail, "check.alerts_unreachable", "check.remedy.alerts_unreachable", err.Error()
	}
	return s
}
