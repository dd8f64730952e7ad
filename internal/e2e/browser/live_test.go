package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

func TestAConnectionTestIsShownStepByStep(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	// A server that does not answer the connection test until it may, and is no
	// docking server.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		select {
		case <-release:
		case <-r.Context().Done():
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	w := newWorld(t, "FLU_SERVER_URL="+server.URL+"/flu/")
	b := openTab(t, w, phrase.Chinese, 360)
	b.logsIn(operatorToken)
	b.clicks("[data-channel=flu]", "test")
	<-asked
	states := `Array.prototype.map.call(document.querySelectorAll('[data-step]'), function (e) { return e.getAttribute('data-step') + ' ' + e.getAttribute('data-state'); }).join()`
	b.until(fmt.Sprintf(`%s === 'dns passed,tcp passed,http running'`, states))
	b.sees(b.word("testing"))
	b.sees(b.word("step.running"))
	b.look("connection_test_running")
	close(release)
	b.until(fmt.Sprintf(`%s === 'dns passed,tcp passed,http passed,clock passed,credentials failed'`, states))
	if value[bool](b, fmt.Sprintf(`document.body.innerText.indexOf(%q) >= 0`, b.word("testing"))) {
		b.fails("the test has ended, and the page says that it goes on")
	}
	b.look("connection_test_failed")
}
