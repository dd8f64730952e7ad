package browser

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

func TestEveryScreenAndEveryActionInBothLanguagesAndSizes(t *testing.T) {
	for _, lang := range phrase.Langs() {
		for _, width := range []int64{360, 1280} {
			t.Run(fmt.Sprintf("%s at %d px", lang, width), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				b := openTab(t, w, lang, width)
				b.entersWithTheRightTokenOnly()
				b.changesLanguageAndTheme()
				b.pausesAndResumes(w)
				b.triggers(w)
				b.showsTimesOfTheProgram()
				b.testsTheConnection()
				b.retriesAndCancels(w)
				b.restores(w)
				b.checksADroppedFile()
				b.acknowledgesAnAlert(w)
				b.readsLogAndSettings()
				b.looksAround()
				b.leaves()
				b.hasDoneAll()
			})
		}
	}
}

func (b *tab) entersWithTheRightTokenOnly() {
	b.look("login")
	b.provoking("401", func() {
		b.logsIn("not-the-token")
		b.sees(b.word("wrong_token"))
	})
	b.logsIn(operatorToken)
	b.sees(b.word("nav.overview"))
	b.sees(b.word("live"))
}

func (b *tab) changesLanguageAndTheme() {
	other := map[phrase.Lang]phrase.Lang{phrase.Chinese: phrase.English, phrase.English: phrase.Chinese}
	for range 2 { // there and back
		b.clicks(".tools", "other_language")
		b.lang = other[b.lang]
		b.sees(b.word("nav.reconciliation"))
		b.until(fmt.Sprintf(`document.documentElement.lang.indexOf(%q) === 0`, b.lang))
	}
	before := value[string](b, `document.documentElement.getAttribute('data-theme')`)
	b.clicks(".tools", "theme")
	b.until(fmt.Sprintf(`document.documentElement.getAttribute('data-theme') !== %q`, before))
}

func (b *tab) pausesAndResumes(w *world) {
	state := func() string {
		var c struct {
			Items []struct{ Name, State string }
		}
		w.call(http.MethodGet, "/channels", nil, &c)
		for _, i := range c.Items {
			if i.Name == "flu" {
				return i.State
			}
		}
		return ""
	}
	b.goes("/", b.word("nav.overview"))
	b.clicks("[data-channel=flu]", "pause")
	b.until(fmt.Sprintf(`document.querySelector('[data-channel=flu]').textContent.indexOf(%q) >= 0`, b.word("channel_state.paused")))
	eventually(b.t, "the channel is paused", func() bool { return state() == "paused" })
	w.drop("flu_waits.csv", file(b.t, "flu", 3, 0))
	w.until("flu_waits.csv", "waits", func(u row) bool { return u.Reason == "channel_paused" })
	b.sees("flu_waits.csv") // by itself: the page is live
	b.look("overview_paused")
	b.clicks("[data-channel=flu]", "resume")
	eventually(b.t, "the channel is not paused", func() bool { return state() == "ok" })
	w.until("flu_waits.csv", "is accepted", func(u row) bool { return u.Verdict == "accepted" })
}

func (b *tab) triggers(w *world) {
	w.sent("flu_invalid.csv", file(b.t, "flu", 20, 5), "invalid")
	w.sent("flu_reject_1.csv", file(b.t, "flu", 3, 0), "rejected")
	w.sent("flu_partial_1.csv", file(b.t, "flu", 3, 0), "partially_accepted")
	b.goes("/", b.word("nav.overview"))
	b.clicks("main", "trigger")
	b.until(`document.getElementById('notice').textContent !== ''`)
	b.sees("flu_partial_1.csv")
	b.look("overview")
}

// showsTimesOfTheProgram: the browser is on the other side of the world, and the
// page goes by the program's clocks and days all the same, and says so.
func (b *tab) showsTimesOfTheProgram() {
	shanghai := time.FixedZone("", 8*60*60)
	if zone := value[string](b, `document.getElementById('zone').textContent`); !strings.Contains(zone, "Asia/Shanghai (UTC+08:00)") {
		b.fails("the page names its time zone thus: %q", zone)
	}
	shown, err := time.ParseInLocation(time.DateTime, value[string](b, `document.querySelector('main .grid:last-of-type section:last-of-type td time').title`), shanghai)
	if ago := time.Since(shown); err != nil || ago < 0 || ago > 10*time.Minute {
		b.fails("a file that has just come was spotted %v ago: %v", ago, err)
	}
	now := time.Now().In(shanghai)
	if today := value[string](b, `document.querySelector('.heat .bad.today').textContent`); today != now.Format("02") && today != now.Add(-time.Minute).Format("02") {
		b.fails("today, with what failed, is the %s", today)
	}
}

func (b *tab) testsTheConnection() {
	b.clicks("[data-channel=flu]", "test")
	b.sees(b.word("test_ok"))
	b.sees(phrase.Text(b.lang, "test.step.http", nil))
	b.look("connection_test")
	b.goes("/uploads", b.word("nav.uploads"))
}

func (b *tab) retriesAndCancels(w *world) {
	w.call(http.MethodPost, "/channels/flu/pause", nil, nil)
	w.drop("flu_stuck.csv", file(b.t, "flu", 3, 0))
	u := w.until("flu_stuck.csv", "waits", func(u row) bool { return u.Reason == "channel_paused" })
	b.goes("/uploads/"+u.ID, "flu_stuck.csv")
	b.clicks("main", "retry")
	b.sees(b.word("acted.retry"))
	w.until("flu_stuck.csv", "waits again", func(u row) bool { return u.Reason == "channel_paused" })
	b.look("upload_waiting")
	b.clicks("main", "cancel")
	b.sees(b.word("acted.cancel"))
	b.goes("/uploads", b.word("nav.uploads"))
	b.until(`document.getElementById('notice').textContent === ''`) // what was done there is not said here
	w.until("flu_stuck.csv", "is cancelled", func(u row) bool { return u.State == "cancelled" })
	w.call(http.MethodPost, "/channels/flu/resume", nil, nil)
}

func (b *tab) restores(w *world) {
	u := w.until("flu_invalid.csv", "is invalid", func(u row) bool { return u.Verdict == "invalid" })
	b.goes("/uploads/"+u.ID, "flu_invalid.csv")
	b.sees(b.word("findings"))
	b.look("upload_invalid")
	b.eval(fmt.Sprintf(`location.hash = '/uploads/%s?severity=error'`, u.ID))
	b.until(`document.querySelector('.pill[aria-current=true]') !== null`)
	b.clicks("main", "restore")
	b.sees(b.word("acted.restore"))
	w.until("flu_invalid.csv", "is taken again", func(again row) bool { return again.ID != u.ID && again.Verdict == "invalid" })
}

func (b *tab) checksADroppedFile() {
	b.goes("/validate", b.word("nav.validate"))
	b.look("validate")
	b.eval(fmt.Sprintf(`(function () {
		var all = new DataTransfer();
		all.items.add(new File([%q], 'flu_dropped.csv', { type: 'text/csv' }));
		var at = { dataTransfer: all, bubbles: true, cancelable: true }, drop = document.querySelector('.drop');
		drop.dispatchEvent(new DragEvent('dragover', at));
		drop.dispatchEvent(new DragEvent('drop', at));
	}())`, file(b.t, "flu", 20, 3)))
	b.sees("flu_dropped.csv")
	b.sees(b.word("has_errors"))
	b.look("validate_done")
	b.choosesAFile()
}

// choosesAFile does so by the button, which speaks the page's language and not
// the browser's, and which the keyboard reaches.
func (b *tab) choosesAFile() {
	path := filepath.Join(b.t.TempDir(), "flu_chosen.csv")
	if err := os.WriteFile(path, file(b.t, "flu", 3, 0), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.eval(`document.getElementById('chosen').focus()`)
	seen := value[string](b, `(function () {
		var i = document.activeElement, r = i.getBoundingClientRect(), label = i.labels[0];
		return i.id + ' ' + (r.width <= 1 && r.height <= 1) + ' ' + label.textContent + ' ' + getComputedStyle(label).outlineStyle;
	}())`)
	if want := "chosen true " + b.word("choose") + " solid"; seen != want {
		b.fails("the field for a file is %q, want %q", seen, want)
	}
	b.do(chromedp.SetUploadFiles(chromedp.ID("chosen"), []string{path}))
	b.sees("flu_chosen.csv")
	b.sees(b.word("is_clean"))
}

func (b *tab) acknowledgesAnAlert(w *world) {
	b.goes("/alerts", b.word("nav.alerts"))
	b.sees(b.word("alert.acknowledge"))
	b.look("alerts")
	told := w.messages.Load()
	b.clicks("main .head", "alert.test")
	b.sees(b.word("alert.test_ok"))
	if w.messages.Load() == told {
		b.fails("the receiver got no test message")
	}
	id := value[string](b, `document.querySelector('[data-alert]').getAttribute('data-alert')`)
	b.clicks("[data-alert='"+id+"']", "alert.acknowledge")
	b.sees(b.word("alert.acknowledge_done"))
	var all struct{ Items []struct{ ID, State string } }
	w.call(http.MethodGet, "/alerts?state=all", nil, &all)
	for _, a := range all.Items {
		if a.ID == id && a.State == "open" {
			b.fails("the alert is open after it was acknowledged")
		}
	}
	b.until(fmt.Sprintf(`Number((document.querySelector('nav #alerts:not([hidden]) span') || { textContent: 0 }).textContent) === %d`, w.openAlerts()))
	b.goes("/alerts?state=all", b.word("nav.alerts"))
	b.until(fmt.Sprintf(`document.querySelector("[data-alert='%s']") !== null`, id))
	b.look("alerts_all")
}

func (b *tab) readsLogAndSettings() {
	b.goes("/logs", b.word("nav.logs"))
	b.sees(phrase.Text(b.lang, "log.upload moved on", nil))
	b.look("logs")
	b.eval(`document.querySelector('.filters [name=level]').value = 'warn'`)
	b.clicks(".filters", "search")
	b.until(`location.hash.indexOf('level=warn') > 0 && document.querySelectorAll('main tbody .pill.info').length === 0 && document.querySelectorAll('main tbody .pill.warn').length > 0`)
	b.goes("/configuration", b.word("nav.configuration"))
	b.sees("FLU_PASSWORD")
	if value[bool](b, `document.body.textContent.indexOf('pw-of-the-hospital') >= 0`) {
		b.fails("the settings show a password")
	}
	b.look("configuration")
}

// looksAround looks at the screens that only show something.
func (b *tab) looksAround() {
	b.goes("/uploads", b.word("nav.uploads"))
	b.look("uploads")
	b.eval(`document.querySelector('.filters [name=verdict]').value = 'rejected'`)
	b.clicks(".filters", "search")
	b.until(`document.querySelectorAll('main tbody tr').length === 1`)
	b.sees("flu_reject_1.csv")
	b.eval(`document.querySelector('main tbody a').click()`)
	b.sees(b.word("receipt"))
	b.look("upload_rejected")
	b.goes("/charts", b.word("nav.charts"))
	b.look("charts")
	b.goes("/reconciliation", b.word("nav.reconciliation"))
	b.look("reconciliation")
}

func (b *tab) leaves() {
	b.do(chromedp.Navigate(b.base + "/docs"))
	b.until(`document.querySelectorAll('.example').length > 30`)
	b.look("docs", "header", "main > section:nth-of-type(-n+8)", "main > section:last-of-type") // the others are made as these are
	b.do(chromedp.Navigate(b.base + "/"))
	b.until(`document.querySelector('main h1') !== null`)
	b.clicks(".tools", "logout")
	b.until(`document.getElementById('token') !== null`)
	b.do(chromedp.Reload())
	b.until(`document.getElementById('token') !== null`)
	b.logsIn(viewerToken)
	b.until(`document.getElementById('token') === null`)
	b.goes("/", b.word("nav.overview"))
	b.sees(b.word("look_only.viewer"))
	for _, id := range []string{"trigger", "pause", "test"} {
		if value[bool](b, fmt.Sprintf(`!!%s('main button', %q)`, find, b.word(id))) {
			b.fails("who may only look is offered %s", id)
		}
	}
	b.look("overview_viewer")
}
