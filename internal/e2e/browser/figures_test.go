package browser

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

// mostBytes is what the dashboard may transfer to be seen for the first time,
// its data included.
const mostBytes = 150 << 10

func TestTheFirstLookIsSmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 30 {
		w.drop(fmt.Sprintf("flu_%d.csv", i), file(t, "flu", 3, 0))
	}
	b := openTab(t, w, phrase.Chinese, 1280)
	b.logsIn(operatorToken)
	b.sees(b.word("latest"))
	b.eval(`location.hash = '#/'`)
	before := b.bytes()
	var paints []time.Duration
	var again float64
	for range 5 {
		from := b.bytes()
		b.do(chromedp.Reload()) // the browser has the parts; what it fetches again is little
		b.sees(b.word("latest"))
		again = b.bytes() - from
		paint := value[float64](b, `performance.getEntriesByName('first-contentful-paint')[0].startTime`)
		paints = append(paints, time.Duration(paint*float64(time.Millisecond)).Round(time.Millisecond))
	}
	slices.Sort(paints)
	t.Logf("first contentful paint after %v, %.0f bytes for the first look and login, %.0f for the next", paints, before, again)
	if before > mostBytes || before == 0 {
		t.Errorf("%.0f bytes are transferred to see the first screen, want at most %d", before, mostBytes)
	}
}

// bytes are those received so far.
func (b *tab) bytes() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.received
}
