package k8s

import (
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

func TestARotatedSecretIsTakenWithoutARestart(t *testing.T) {
	t.Parallel()
	const next = "pw-of-next-quarter"
	w := hospital(t)
	w.standalone()
	p := w.one()
	w.drop("flu_1.csv", 1, 5)
	w.delivered(stateOf + "/archive")

	w.serve(next) // the server's side first: the old password is refused from now on
	w.drop("flu_2.csv", 2, 5)
	process.Eventually(t, patience, "the channel is refused", func() bool { return w.channelState(p) == "refused" })
	began := time.Now()
	w.secret("hqms-credentials", map[string]string{"HQMS_ACCOUNT": account, "HQMS_PASSWORD": next, "FLU_ACCOUNT": account, "FLU_PASSWORD": next})
	w.drop("flu_3.csv", 3, 5)
	w.delivered(stateOf + "/archive")
	figure(t, "rotated password: taken %s after the Secret was changed, 0 lost, 0 twice", time.Since(began).Round(100*time.Millisecond))
	if after := w.one(); after.Metadata.UID != p.Metadata.UID || after.sidecar().Restarts != 0 {
		t.Errorf("the sidecar was restarted: %+v", after)
	}
}

// channelState is the state of channel flu.
func (w *world) channelState(p pod) string {
	w.t.Helper()
	var list struct {
		Items []struct {
			Name  string `json:"name"`
			State string `json:"state"`
		} `json:"items"`
	}
	_, err := kube.get(w.t.Context(), "/api/v1/namespaces/"+w.ns+"/pods/"+p.Metadata.Name+":8080/proxy/channels", &list)
	must(w.t, err)
	for _, c := range list.Items {
		if c.Name == "flu" {
			return c.State
		}
	}
	return ""
}
