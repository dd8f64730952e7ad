package browser

import (
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/dashboard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

// What every other test here relies on: that a fault would be seen.
func TestAFaultOfAPageWouldBeSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := openTab(t, w, phrase.Chinese, 360)
	if v := b.violations(false); len(v) != 0 {
		t.Fatalf("before: %v", v)
	}
	b.eval(`document.getElementById('token').parentNode.querySelector('label').remove()`)
	if v := b.violations(false); len(v) == 0 || !strings.HasPrefix(v[0], "label") {
		t.Errorf("an input without a label: %v", v)
	}
	b.provoked(`console.error('x')`, "console")
	b.provoked(`setTimeout(function () { throw new Error('x'); })`, "exception")
	b.provoked(`fetch('http://localhost:1/x').catch(function () {})`, "Content Security Policy")
	b.eval(`(function () { var e = document.createElement('div'); e.className = 'wide'; e.style.width = '900px'; e.textContent = 'x'; document.body.appendChild(e); }())`)
	if over := b.tooWide(); over <= 0 {
		t.Error("a page that is too wide was not seen")
	}
	b.provoked(`setTimeout(function () { location.assign('http://127.0.0.1:1/'); }, 0)`, "another origin")
}

// provoked runs what must not be, and fails unless it was noted; the notes are
// thrown away.
func (b *tab) provoked(expression, note string) {
	b.t.Helper()
	b.mu.Lock()
	before := b.wrong
	b.expected = ""
	b.mu.Unlock()
	b.eval(expression)
	eventually(b.t, "it is noted: "+note, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return strings.Contains(strings.Join(b.wrong[len(before):], "\n"), note)
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = before
}

func TestThePolicyOfThePagesHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := openTab(t, w, phrase.English, 1280)
	got := value[string](b, `fetch('/', { headers: { Accept: 'text/html' } }).then(function (r) { return r.headers.get('Content-Security-Policy'); })`)
	if got != dashboard.Policy || strings.Contains(got, "unsafe") || strings.Contains(got, "*") {
		t.Errorf("policy %q", got)
	}
	b.provoked(`(function () { var s = document.createElement('script'); s.textContent = 'window.got = 1'; document.body.appendChild(s); }())`, "Content Security Policy")
	b.provoked(`(function () { var i = document.createElement('img'); i.src = 'https://127.0.0.2/x.png'; document.body.appendChild(i); }())`, "Content Security Policy")
	b.provoked(`document.body.insertAdjacentHTML('beforeend', '<a id="x" href="#" onclick="window.got = 2">x</a>'), document.getElementById('x').click()`, "Content Security Policy")
	if value[bool](b, `'got' in window`) {
		t.Error("a script that is not ours has run")
	}
}
