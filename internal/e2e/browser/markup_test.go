package browser

import (
	"net/http"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestMarkupInFileNamesAndServerMessagesIsShownAsText(t *testing.T) {
	t.Parallel()
	const (
		name    = `flu_<img src=x onerror=document.title='got'>"';--.csv`
		message = `<script>document.title='got'</script><img src=x onerror="document.title='got'">`
	)
	w := newWorld(t)
	b := openTab(t, w, phrase.English, 1280)
	b.logsIn(operatorToken)
	b.sees(b.word("nav.overview"))
	u := w.sent(name, file(t, "flu", 3, 1), "invalid")
	w.fault(sandbox.Fault{Step: sandbox.StepToken, Kind: sandbox.FaultRefuse, Channel: upload.Flu, Message: message})
	w.drop("flu_refused.csv", file(t, "flu", 3, 0))
	var channels struct {
		Items []struct {
			Name          string
			ServerMessage string `json:"server_message"`
		}
	}
	eventually(t, "the server's message is known", func() bool {
		w.call(http.MethodGet, "/channels", nil, &channels)
		for _, c := range channels.Items {
			if c.Name == "flu" && c.ServerMessage != "" {
				return true
			}
		}
		return false
	})
	b.sees("<script>") // the overview, by itself
	for address, shows := range map[string]string{"/": b.word("nav.overview"), "/uploads": b.word("nav.uploads"), "/uploads/" + u.ID: name, "/alerts": b.word("nav.alerts"), "/logs": b.word("nav.logs")} {
		b.goes(address, shows)
		b.sees("<img src=x")
		if value[bool](b, `document.title === 'got' || document.querySelectorAll('main img, main script').length > 0`) {
			t.Errorf("%s makes markup of what came from outside", address)
		}
	}
}
