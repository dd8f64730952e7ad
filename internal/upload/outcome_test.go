package upload

import (
	"errors"
	"slices"
	"testing"
	"time"
)

var (
	noon    = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	ticket  = Ticket{Token: "t", IssuedAt: noon, Fate: Answered}
	receipt = &Receipt{Status: "4", At: noon}
	exam    = Examination{Digest: "sha-256:aa", Size: 10, Rows: 2, Charset: "utf-8", PackedSize: 5, PackedDigest: "sha-256:bb", Tally: Tally{Error: 1}}
)

// outcomes is every outcome, with the states it may start from and the state it
// leads to ("" where it stays). The table is the law, written a second time.
func outcomes() map[string]struct {
	o    Outcome
	from []State
	to   State
} {
	open := OpenStates()
	type row = struct {
		o    Outcome
		from []State
		to   State
	}
	return map[string]row{
		"hold":              {Hold(time.Second, QuietPeriod, ""), open, ""},
		"hold looking":      {HoldLooking(time.Second, StillChanging, Identity{Size: 1}), []State{StateSpotted}, ""},
		"retry":             {Retry(time.Second, ServerError, ""), open, ""},
		"settled":           {Settled(Identity{Size: 1}), []State{StateSpotted}, StateSettled},
		"vanished":          {Vanished(), []State{StateSpotted, StateSettled}, StateVanished},
		"unfit":             {Unfit(NotRegular), []State{StateSpotted, StateSettled}, StateVanished},
		"superseded":        {Superseded(), []State{StateSettled}, StateSuperseded},
		"validated":         {Validated(exam), []State{StateSettled}, StateValidated},
		"held back":         {HeldBack(exam), []State{StateSettled}, StateDecided},
		"resettled":         {Resettled(SpoolLost), []State{StateValidated, StatePacked}, StateSettled},
		"packed":            {Packed(), []State{StateValidated}, StatePacked},
		"packed adopting":   {PackedAdopting(Upload{ID: "e", Ticket: ticket}), []State{StateValidated}, StatePacked},
		"delivered earlier": {DeliveredEarlier(Upload{ID: "e", Verdict: Accepted}), []State{StateValidated}, StateDecided},
		"sent":              {Sent(ticket, ""), []State{StatePacked}, StateSent},
		"broken off":        {BrokenOff(ticket, time.Second, UploadBroken, ""), []State{StatePacked}, ""},
		"polled":            {Polled(ticket, time.Second, ServerWorking), []State{StateSent}, ""},
		"unarrived":         {Unarrived(0), []State{StateSent}, StatePacked},
		"decided":           {Decided(Accepted, "", receipt), []State{StatePacked, StateSent}, StateDecided},
		"retired":           {Retired(InArchive, "archive/x", ""), []State{StateDecided}, StateRetired},
		"relocated":         {Relocated(Expired, ""), []State{StateRetired}, ""},
		"failed":            {Failed(InternalFault, ""), open, StateFailed},
		"cancelled":         {Cancelled(), []State{StateSpotted, StateSettled, StateValidated, StatePacked, StateSent, StateFailed}, StateCancelled},
		"retried":           {Retried(), append(open, StateFailed), ""},
	}
}

// at makes an upload that could really stand in state.
func at(state State) Upload {
	u := Upload{ID: "u", State: state, Place: InWatch, Digest: "sha-256:aa", SpottedAt: noon}
	switch state {
	case StatePacked, StateSent:
		u.ContentKey = u.Digest
	case StateDecided, StateRetired:
		u.Verdict, u.ContentKey = Accepted, u.Digest
	case StateFailed:
		u.ResumeAt = StateSettled
	default:
	}
	return u
}

func TestEveryOutcomeAppliesFromItsStatesAlone(t *testing.T) {
	t.Parallel()
	for name, c := range outcomes() {
		for _, state := range States() {
			after, err := c.o.Apply(at(state), noon)
			if legal := slices.Contains(c.from, state); legal != (err == nil) {
				t.Errorf("%s from %s: legal %v, error %v", name, state, legal, err)
				continue
			}
			if err != nil {
				if !errors.Is(err, ErrIllegalTransition) || after.State != state {
					t.Errorf("%s from %s: error %v, state %s", name, state, err, after.State)
				}
				continue
			}
			if want := c.to; want != "" && after.State != want {
				t.Errorf("%s from %s: led to %s, want %s", name, state, after.State, want)
			}
			checkInvariants(t, name+" from "+string(state), after)
		}
	}
}

func checkInvariants(t *testing.T, what string, u Upload) {
	t.Helper()
	if u.State.Final() == u.FinishedAt.IsZero() {
		t.Errorf("%s: final %v, finished at %v", what, u.State.Final(), u.FinishedAt)
	}
	if (u.State == StateDecided || u.State == StateRetired) && u.Verdict == "" {
		t.Errorf("%s: decided without a verdict", what)
	}
	if u.State.Open() && u.State != StateDecided && u.Verdict != "" {
		t.Errorf("%s: verdict %s in state %s", what, u.Verdict, u.State)
	}
	if (u.State == StatePacked || u.State == StateSent) && u.ContentKey == "" {
		t.Errorf("%s: no right to the content in state %s", what, u.State)
	}
	if u.State.Open() && u.NextAttemptAt.IsZero() {
		t.Errorf("%s: open and never due", what)
	}
	if (u.State == StateFailed) != (u.ResumeAt != "") {
		t.Errorf("%s: state %s, resume at %q", what, u.State, u.ResumeAt)
	}
}

func TestContentKeyIsKeptWhileTheServerMayHaveTheContent(t *testing.T) {
	t.Parallel()
	sent := at(StateSent)
	sent.Ticket = ticket
	for _, v := range []Verdict{Accepted, PartiallyAccepted, Duplicate, Unresolved, Rejected} {
		after, err := Decided(v, "", receipt).Apply(sent, noon)
		if err != nil {
			t.Fatal(err)
		}
		if kept := after.ContentKey != ""; kept != v.AtServer() {
			t.Errorf("decided %s: content key kept %v", v, kept)
		}
	}
	for _, c := range []struct {
		fate Fate
		kept bool
	}{{Untouched, true}, {Maybe, true}, {Answered, true}, {Broken, false}} {
		sent.Ticket.Fate = c.fate
		after, _ := Cancelled().Apply(sent, noon)
		if kept := after.ContentKey != ""; kept != c.kept {
			t.Errorf("cancelled with ticket %s: content key kept %v", c.fate, kept)
		}
	}
}

func TestAdoptedTicketIsAskedAboutBeforeSending(t *testing.T) {
	t.Parallel()
	after, err := PackedAdopting(Upload{ID: "e", Ticket: ticket}).Apply(at(StateValidated), noon)
	if err != nil {
		t.Fatal(err)
	}
	if after.Ticket.Token != ticket.Token || after.Ticket.Fate != Maybe {
		t.Errorf("adopted ticket %+v: want the earlier token with fate maybe", after.Ticket)
	}
}

func TestFailedUploadGoesBackToWhereItFailed(t *testing.T) {
	t.Parallel()
	failed, err := Failed(InternalFault, "x").Apply(at(StateSettled), noon)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Retried().Apply(failed, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if back.State != StateSettled || back.ResumeAt != "" || !back.NextAttemptAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("retried: state %s, resume at %q, next %v", back.State, back.ResumeAt, back.NextAttemptAt)
	}
}

func TestFailedUploadThatLostItsContentIsPackedAnew(t *testing.T) {
	t.Parallel()
	failed, _ := Failed(InternalFault, "").Apply(at(StateSent), noon)
	failed.ContentKey = "" // another upload adopted it
	back, err := Retried().Apply(failed, noon)
	if err != nil || back.State != StateValidated {
		t.Errorf("got state %s, error %v; want validated, so that the content is checked again", back.State, err)
	}
}

func TestUnresolvedCanBeAskedAgainWhileTheOriginalIsThere(t *testing.T) {
	t.Parallel()
	u := at(StateRetired)
	u.Verdict = Unresolved
	if after, err := AskedAgain().Apply(u, noon); err != nil || after.State != StateSent || after.Verdict != "" {
		t.Errorf("state %s, verdict %q, error %v", after.State, after.Verdict, err)
	}
	u.Place = InQuarantine
	if _, err := AskedAgain().Apply(u, noon); !errors.Is(err, ErrIllegalTransition) {
		t.Errorf("original in quarantine: error %v", err)
	}
	u = at(StateRetired)
	if _, err := AskedAgain().Apply(u, noon); !errors.Is(err, ErrIllegalTransition) {
		t.Errorf("accepted upload: error %v", err)
	}
}

func TestAttemptsCountPassingFaultsOfTheStateAlone(t *testing.T) {
	t.Parallel()
	u := at(StatePacked)
	for range 3 {
		u, _ = Retry(time.Second, ServerError, "").Apply(u, noon)
	}
	if u.Attempt != 3 {
		t.Errorf("after three retries: attempt %d", u.Attempt)
	}
	u, _ = Hold(time.Second, ChannelPaused, "").Apply(u, noon)
	if u.Attempt != 3 {
		t.Errorf("a hold changed the attempt to %d", u.Attempt)
	}
	u, _ = Sent(ticket, "").Apply(u, noon)
	if u.Attempt != 0 {
		t.Errorf("a new state begins with attempt %d", u.Attempt)
	}
}

func TestZeroOutcomeIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := (Outcome{}).Apply(at(StateSpotted), noon); !errors.Is(err, ErrIllegalTransition) {
		t.Errorf("error %v", err)
	}
}

func TestReasonOfTheVerdictOutlivesThePuttingAway(t *testing.T) {
	t.Parallel()
	u := at(StateDecided)
	u.Reason, u.VerdictReason, u.Detail = FindingsBlock, FindingsBlock, "d"
	if after, _ := Retired(InQuarantine, "q", "").Apply(u, noon); after.Reason != FindingsBlock || after.Detail != "d" {
		t.Errorf("retired: reason %q, detail %q", after.Reason, after.Detail)
	}
	if after, _ := Retired(InWatch, "f", OriginalChanged).Apply(u, noon); after.Reason != OriginalChanged {
		t.Errorf("original changed: reason %q", after.Reason)
	}
	held, _ := Hold(time.Second, ReadOnly, "cannot be moved").Apply(u, noon)
	if after, _ := Retired(InQuarantine, "q", "").Apply(held, noon); held.Reason != ReadOnly || after.Reason != FindingsBlock || after.Detail != "" {
		t.Errorf("after a hold for %q: reason %q, detail %q", held.Reason, after.Reason, after.Detail)
	}
	u = at(StateRetired)
	u.Reason, u.FinishedAt = DeliveredBefore, noon
	if after, _ := Relocated(Expired, "").Apply(u, noon.Add(time.Hour)); after.Reason != DeliveredBefore || !after.FinishedAt.Equal(noon) {
		t.Errorf("relocated: reason %q, finished at %v", after.Reason, after.FinishedAt)
	}
}
