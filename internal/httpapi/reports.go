package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/oapi-codegen/runtime/types"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// longestSpan bounds the days of a report.
	longestSpan = 400
	// usualSpan is how many days a report has for which none are asked.
	usualSpan = 31
	// usualAhead is how many days ahead expected files are shown.
	usualAhead = 7
)

// Reports is what reports read of the journal; *journal.Journal is one.
type Reports interface {
	Accounts(ctx context.Context, f journal.Filter, each func(a journal.Account) error) error
	CountDays(ctx context.Context, ch upload.Channel, days []journal.Span) ([]journal.DayCount, error)
	TimeStages(ctx context.Context, ch upload.Channel, s journal.Span) ([]journal.StageTime, error)
	CountRules(ctx context.Context, ch upload.Channel, s journal.Span) ([]journal.RuleTally, error)
}

// Calendar knows which files are expected; *calendar.Keeper is one.
type Calendar interface {
	// Expectations are those due from one moment up to, not including, another, in
	// order; channel and kind may be empty: all.
	Expectations(ctx context.Context, ch upload.Channel, kind upload.Kind, from, to time.Time) ([]calendar.Expectation, error)
	// Standings are, as of the last look, the latest deadline of each channel and
	// kind and the one ahead, each list in the same order.
	Standings() (latest, ahead []calendar.Expectation)
}

// days is a stretch of whole local days, both included.
type days struct{ first, last time.Time } // local midnights

// daysOf reads from and to; today is the last day where none is given.
func (h *handlers) daysOf(from, to *types.Date, ahead int) (days, error) {
	y, m, d := h.Now().In(h.Zone).Date()
	s := days{last: time.Date(y, m, d+ahead, 0, 0, 0, 0, h.Zone)}
	if to != nil {
		s.last = h.midnight(to.Time)
	}
	s.first = s.last.AddDate(0, 0, 1-usualSpan-ahead)
	if from != nil {
		s.first = h.midnight(from.Time)
		if to == nil && s.last.Before(s.first) {
			s.last = s.first
		}
	}
	switch {
	case s.last.Before(s.first):
		return s, misfitOf("to", "it is before from")
	case s.first.AddDate(0, 0, longestSpan).Before(s.last):
		return s, misfitOf("to", fmt.Sprintf("it is more than %d days after from", longestSpan))
	case s.first.Year() < 1970 || s.last.Year() > 2200:
		return s, misfitOf("from", "it is out of all time")
	default:
		return s, nil
	}
}

func misfitOf(parameter, detail string) *problem {
	return &problem{status: http.StatusBadRequest, name: "bad-request", misfits: []misfit{{"query", parameter, detail}}}
}

func (h *handlers) midnight(date time.Time) time.Time {
	return time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, h.Zone)
}

// span is from the first day's begin to the last day's end.
func (s days) span() journal.Span {
	return journal.Span{Begins: s.first, Ends: s.last.AddDate(0, 0, 1)}
}

// each lists the days one by one.
func (s days) each() []journal.Span {
	var all []journal.Span
	for d := s.first; !d.After(s.last); d = d.AddDate(0, 0, 1) {
		all = append(all, journal.Span{Begins: d, Ends: d.AddDate(0, 0, 1)})
	}
	return all
}

func (s days) from() string { return s.first.Format(time.DateOnly) }
func (s days) to() string   { return s.last.Format(time.DateOnly) }

// zoneName names the zone, or its offset where it has no name of its own.
func (h *handlers) zoneName() string {
	if name := h.Zone.String(); name != "Local" && name != "" {
		return name
	}
	return h.Now().In(h.Zone).Format("-07:00")
}

// ListExpectations gives the files that are expected.
func (h *handlers) ListExpectations(ctx context.Context, r api.ListExpectationsRequestObject) (api.ListExpectationsResponseObject, error) {
	p := r.Params
	s, err := h.daysOf(p.From, p.To, usualAhead)
	if err != nil {
		return nil, err
	}
	all, err := h.expected(ctx, upload.Channel(or(p.Channel, "")), upload.Kind(or(p.Kind, "")), s)
	if err != nil {
		return nil, err
	}
	return api.ListExpectations200JSONResponse{TimeZone: h.zoneName(), Items: each(all, viewExpectation)}, nil
}

func (h *handlers) expected(ctx context.Context, ch upload.Channel, kind upload.Kind, s days) ([]calendar.Expectation, error) {
	if h.Calendar == nil {
		return nil, nil
	}
	return h.Calendar.Expectations(ctx, ch, kind, s.span().Begins, s.span().Ends)
}

func viewExpectation(e calendar.Expectation) api.Expectation {
	v := api.Expectation{
		Channel: string(e.Channel), Kind: string(e.Kind), Date: e.Day, WindowFrom: e.Begins.UTC(), DueAt: e.Due.UTC(),
		State: api.ExpectationState(e.State), StateText: *text("expectation."+string(e.State), nil),
		ArrivedAt: orNil(e.Came.UTC()), Files: e.Arrivals, UnderWay: e.UnderWay, UploadID: orNil(string(e.Upload)), Note: orNil(e.Note),
	}
	if e.State == calendar.Arrived {
		v.OnTime = new(e.OnTime())
	}
	return v
}

// GetStatistics gives figures for charts.
func (h *handlers) GetStatistics(ctx context.Context, r api.GetStatisticsRequestObject) (api.GetStatisticsResponseObject, error) {
	s, err := h.daysOf(r.Params.From, r.Params.To, 0)
	if err != nil {
		return nil, err
	}
	ch := upload.Channel(or(r.Params.Channel, ""))
	counts, err := h.Reports.CountDays(ctx, ch, s.each())
	if err != nil {
		return nil, err
	}
	stages, err := h.Reports.TimeStages(ctx, ch, s.span())
	if err != nil {
		return nil, err
	}
	rules, err := h.Reports.CountRules(ctx, ch, s.span())
	if err != nil {
		return nil, err
	}
	return api.GetStatistics200JSONResponse{
		From: s.from(), To: s.to(), TimeZone: h.zoneName(),
		Days: viewDays(s, counts), Stages: viewStages(stages), Findings: each(rules, viewRule),
	}, nil
}

// viewDays puts the counts of each day, channel and kind together; they come in
// that order.
func viewDays(s days, counts []journal.DayCount) []api.DayStatistics {
	all := []api.DayStatistics{}
	var packedFrom int64
	for i, c := range counts {
		if i == 0 || counts[i-1].Day != c.Day || counts[i-1].Channel != c.Channel || counts[i-1].Kind != c.Kind {
			packedFrom = 0
			all = append(all, api.DayStatistics{
				Date:    s.first.AddDate(0, 0, c.Day).Format(time.DateOnly),
				Channel: string(c.Channel), Kind: string(c.Kind), Verdicts: map[string]int64{},
			})
		}
		v := &all[len(all)-1]
		v.Files += c.Files
		v.Rows += c.Rows
		v.SourceBytes += c.SourceBytes
		v.PackedBytes += c.PackedBytes
		packedFrom += c.PackedFrom
		if c.Verdict == "" {
			v.Undecided += c.Files
			v.Ended += c.Ended
		} else {
			v.Verdicts[string(c.Verdict)] += c.Files
		}
		if v.PackedBytes > 0 {
			v.CompressionRatio = new(float64(packedFrom) / float64(v.PackedBytes))
		}
	}
	return all
}

// viewStages gives the stages in the order of the way; those nobody passed are
// left out.
func viewStages(times []journal.StageTime) []api.StageStatistics {
	all := []api.StageStatistics{}
	for _, stage := range []string{"settle", "validate", "pack", "transmit", "held", "confirm", "retire"} {
		for _, t := range times {
			if t.Stage == stage {
				all = append(all, api.StageStatistics{
					Stage: api.StageStatisticsStage(stage), Count: int64(len(t.Took)),
					P50Seconds: share(t.Took, 50).Seconds(), P95Seconds: share(t.Took, 95).Seconds(),
				})
			}
		}
	}
	return all
}

// share is the least of the sorted values that so many percent of them do not exceed.
func share(sorted []time.Duration, percent int) time.Duration {
	n := (len(sorted)*percent + 99) / 100
	return sorted[max(n, 1)-1]
}

func viewRule(t journal.RuleTally) api.RuleStatistics {
	words := cmp.Or(text("rule."+t.Rule, nil), &api.Text{Zh: t.Rule, En: t.Rule})
	return api.RuleStatistics{
		Rule: t.Rule, Severity: api.Severity(t.Severity), Count: t.Count, Files: t.Files,
		Text: api.Text{Zh: parameter.ReplaceAllString(words.Zh, "…"), En: parameter.ReplaceAllString(words.En, "…")},
	}
}

// parameter is what differs from finding to finding of one rule.
var parameter = regexp.MustCompile(`\{[a-z_0-9]+\}`)
