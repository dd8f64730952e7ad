package app

import "testing"

func TestTheOperatorsGOGCIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ []string
		ours    bool
	}{
		{nil, true},
		{[]string{"GOGC="}, true},
		{[]string{"GOGC=100"}, false},
		{[]string{"A=1", "GOGC=off"}, false},
	} {
		if percent, ours := collectAt(c.environ); ours != c.ours || ours && percent != thrift {
			t.Errorf("%q: %d %v", c.environ, percent, ours)
		}
	}
}
