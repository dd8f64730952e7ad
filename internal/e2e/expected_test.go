package e2e

import (
	"net/http"
	"testing"
	"time"
)

func TestStatusSumsUpWhatIsExpected(t *testing.T) {
	t.Parallel()
	r := newRig(t, newServer(t), "FLU_EXPECT=daily 09:00 flu,lis")
	r.start()
	var s struct {
		Expectations *struct {
			Late, Due int
			NextDueAt time.Time `json:"next_due_at"`
			Kinds     []struct{ Kind string }
		}
	}
	eventually(t, "the status knows both kinds", func() bool {
		return r.call(http.MethodGet, "/status", nil, &s) == http.StatusOK && s.Expectations != nil && len(s.Expectations.Kinds) == 2
	})
	if s.Expectations.Due != 2 || time.Until(s.Expectations.NextDueAt).Abs() > 25*time.Hour {
		t.Errorf("%+v", *s.Expectations)
	}
}
