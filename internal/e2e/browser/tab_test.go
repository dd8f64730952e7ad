package browser

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

//go:embed testdata/axe.min.js
var axe string

// chromium is where the browser is; empty: nowhere.
func chromium() string {
	for _, name := range []string{os.Getenv("HQMS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil && name != "" {
			return path
		}
	}
	return ""
}

var (
	stopBrowser = func() {}
	theBrowser  = sync.OnceValues(func() (context.Context, error) {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(chromium()), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
		if os.Getuid() == 0 { // its sandbox refuses root
			options = append(options, chromedp.NoSandbox)
		}
		alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stop := chromedp.NewContext(alloc)
		stopBrowser = func() { stop(); stopAlloc() }
		return ctx, chromedp.Do(ctx)
	})
)

func closeBrowser() { stopBrowser() }

// tab is a browser's window on one sidecar, with cookies of its own. It notes
// what no page of ours may do.
type tab struct {
	t     *testing.T
	ctx   context.Context
	base  string
	lang  phrase.Lang
	width int64

	mu       sync.Mutex
	wrong    []string
	expected string          // part of a complaint that the test provokes
	acted    map[string]bool // "POST /path" of every request that was not only for looking
	clicked  map[string]bool // words of the buttons and links that were clicked
	received float64         // bytes
	dialogs  chan struct{}
}

// elsewhere is where the browsers are: far from the program's time zone, so that
// a time or a day by the browser's own clock is seen to be wrong.
const elsewhere = "America/New_York"

func openTab(t *testing.T, w *world, lang phrase.Lang, width int64) *tab {
	t.Helper()
	if chromium() == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no chromium: apt-get install chromium fonts-wqy-microhei")
		}
		t.Skip("there is no chromium")
	}
	parent, err := theBrowser()
	if err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	b := &tab{t: t, base: w.base, lang: lang, width: width, dialogs: make(chan struct{}, 16), acted: map[string]bool{}, clicked: map[string]bool{}}
	ctx, end := chromedp.NewContext(parent, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.note))
	t.Cleanup(end)
	bounded, cancel := context.WithTimeout(ctx, 10*patience)
	t.Cleanup(cancel)
	b.ctx = ctx
	b.do(chromedp.EmulateViewport(width, 800))
	b.ctx = bounded
	if _, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: elsewhere}); err != nil {
		t.Fatal(err)
	}
	go b.confirm()
	b.do(chromedp.Navigate(w.base + "/"))
	b.until(`document.querySelector('h1') !== null`)
	if lang == phrase.English {
		b.eval(`document.getElementById('lang').click()`)
		b.until(`document.documentElement.lang === 'en'`)
	}
	t.Cleanup(b.mustBeClean)
	return b
}

// note looks at what the browser tells of the page. It must not call the browser.
func (b *tab) note(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	complain := func(text string) {
		if b.expected == "" || !strings.Contains(text, b.expected) {
			b.wrong = append(b.wrong, text)
		}
	}
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		complain(fmt.Sprintf("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		complain(fmt.Sprintf("console: %s", e.Type))
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelVerbose { // advice
			complain(fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if e.Request.Method != http.MethodGet {
			b.acted[e.Request.Method+" "+strings.TrimPrefix(e.Request.URL, b.base)] = true
		}
		if u := e.Request.URL; !strings.HasPrefix(u, b.base) && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
			complain("request to another origin: " + u)
		}
	case *network.EventLoadingFinished:
		b.received += e.EncodedDataLength
	case *page.EventJavascriptDialogOpening:
		b.dialogs <- struct{}{}
	}
}

// confirm says yes to whatever the page asks.
func (b *tab) confirm() {
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-b.dialogs:
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	}
}

// provoking runs what makes the console complain of that.
func (b *tab) provoking(complaint string, run func()) {
	set := func(text string) { b.mu.Lock(); b.expected = text; b.mu.Unlock() }
	set(complaint)
	defer set("")
	run()
}

func (b *tab) mustBeClean() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.t.Errorf("%s %d: %s", b.lang, b.width, w)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval evaluates an expression that gives nothing of interest.
func (b *tab) eval(expression string) {
	b.t.Helper()
	value[any](b, "void ("+expression+")")
}

func value[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%.300s: %v", expression, err)
	}
	return v
}

// until waits until the expression is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(3e7), chromedp.WithPollingTimeout(patience))); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		b.t.Fatalf("%s: %v; the page shows:\n%s", expression, err, text)
	}
}

// word is a word of the dashboard.
func (b *tab) word(id string) string { return phrase.Text(b.lang, "ui."+id, nil) }

// sees waits until the page shows the text.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.body.innerText.indexOf(%q) >= 0`, text))
}

// find gives the first shown element of that selector with that text, in the
// middle of the window and covered by nothing.
const find = `(function (selector, text) {
	var all = Array.prototype.filter.call(document.querySelectorAll(selector), function (e) { return e.textContent.trim() === text && e.offsetParent && !e.disabled; });
	if (!all.length) return null;
	all[0].scrollIntoView({ block: 'center' });
	var r = all[0].getBoundingClientRect(), top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
	return top && (all[0].contains(top) || top.contains(all[0])) ? all[0] : null;
})`

// clicks clicks the button or link with that word, once it can be clicked.
func (b *tab) clicks(within, id string) {
	b.t.Helper()
	selector := within + " button, " + within + " a"
	b.clicked[id] = true
	b.until(fmt.Sprintf(`(function () { var e = %s(%q, %q); if (e) setTimeout(function () { e.click(); }, 0); return !!e; }())`, find, selector, b.word(id)))
}

// goes shows the screen of that address.
func (b *tab) goes(hash, shows string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`location.hash = %q`, hash))
	b.until(fmt.Sprintf(`document.querySelector('main h1') && document.querySelector('main h1').textContent === %q`, shows))
}

// fails fails the test for what is to be seen, and goes on.
func (b *tab) fails(format string, args ...any) {
	b.t.Helper()
	b.t.Errorf("%s %d: "+format, append([]any{b.lang, b.width}, args...)...)
}

// look looks at the present screen, light and dark: nothing sticks out, axe is
// content, and a picture is kept. Of a page that repeats itself a hundred times,
// axe looks at the parts named.
func (b *tab) look(screen string, parts ...string) {
	b.t.Helper()
	before := value[string](b, `document.documentElement.getAttribute('data-theme') || 'light'`)
	defer func() { b.eval(fmt.Sprintf(`document.documentElement.setAttribute('data-theme', %q)`, before)) }()
	for _, theme := range []string{"light", "dark"} {
		b.eval(fmt.Sprintf(`document.documentElement.setAttribute('data-theme', %q)`, theme))
		if over := b.tooWide(); over > 0 {
			b.fails("%s is %d pixels too wide", screen, over)
		}
		for _, v := range b.violations(theme == "dark", parts...) {
			b.fails("%s, %s: %s", screen, theme, v)
		}
		b.keep(fmt.Sprintf("%s_%s_%d_%s.png", screen, b.lang, b.width, theme))
	}
}

// tooWide is by how many pixels the page is wider than the window.
func (b *tab) tooWide() int {
	b.t.Helper()
	return value[int](b, fmt.Sprintf(`document.documentElement.scrollWidth - %d`, b.width))
}

// violations is what axe finds; of colours alone where the rest has been looked
// at already.
func (b *tab) violations(coloursAlone bool, parts ...string) []string {
	b.t.Helper()
	if !value[bool](b, `!!window.axe`) {
		b.eval("function () {" + axe + "}.call(window)")
	}
	only := `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']`
	if coloursAlone {
		only = `{ type: 'rule', values: ['color-contrast', 'link-in-text-block'] }`
	}
	of := "document"
	if len(parts) > 0 {
		of = fmt.Sprintf(`{ include: [[%q]] }`, strings.Join(parts, ", "))
	}
	return value[[]string](b, `axe.run(`+of+`, { runOnly: `+only+`, resultTypes: ['violations'], elementRef: false }).then(function (r) {
		return r.violations.map(function (v) { return v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map(function (n) { return n.html + ' ' + n.failureSummary; }).join(' | '); });
	})`)
}

// pictured is how much of a long page is in its picture.
const pictured = 3000

// keep keeps a picture of the page, from its top.
func (b *tab) keep(name string) {
	b.t.Helper()
	dir := os.Getenv("HQMS_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "bin", "screenshots")
	}
	height := value[float64](b, fmt.Sprintf(`Math.min(document.documentElement.scrollHeight, %d)`, pictured))
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: new(true), OptimizeForSpeed: new(true),
		Clip: &page.Viewport{Width: float64(b.width), Height: height, Scale: 1},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), shot.Data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// logs in with that token.
func (b *tab) logsIn(token string) {
	b.t.Helper()
	b.until(`document.getElementById('token') !== null`)
	b.do(chromedp.SendKeys(chromedp.ID("token"), token+"\r"))
}
