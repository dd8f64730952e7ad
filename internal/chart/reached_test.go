package chart

import (
	"strings"
	"testing"
)

// part renders one template. Further arguments go to helm.
func part(t *testing.T, template string, args ...string) string {
	t.Helper()
	all := render(t, append([]string{"--set", "export.existingClaim=c", "--set", "secrets.existing=s"}, args...)...)
	_, from, found := strings.Cut(all, "templates/"+template+"\n")
	if !found {
		t.Fatalf("%s makes nothing", template)
	}
	made, _, _ := strings.Cut(from, "\n---")
	return made
}

const alerted = "secrets.keys={HQMS_ACCOUNT,HQMS_PASSWORD,ALERT_WEBHOOK_URL}"

func TestTheReceiverOfAlertsIsReachedWhereThereIsOne(t *testing.T) {
	t.Parallel()
	server := []string{"--set", "networkPolicy.server.cidrs={203.0.113.0/24}"}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"none":    {nil, nil},
		"a robot": {[]string{"--set", alerted}, []string{"# the receiver of alerts\n  - ports:\n    - {port: 443, protocol: TCP}\n"}},
		"of the chart's own Secret": {
			[]string{"--set", "secrets.create.ALERT_WEBHOOK_URL=x"}, []string{"# the receiver of alerts\n  - ports:\n    - {port: 443, protocol: TCP}\n"},
		},
		"Alertmanager": {
			[]string{"--set", alerted, "--set", "networkPolicy.alerts.ports={9093}", "--set-json", `networkPolicy.alerts.peers=[{"podSelector":{"matchLabels":{"app":"alertmanager"}}}]`},
			[]string{"- {port: 9093, protocol: TCP}\n", `to: [{"podSelector":{"matchLabels":{"app":"alertmanager"}}}]`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := part(t, "networkpolicy.yaml", append(server, c.args...)...)
			if there := strings.Contains(policy, "receiver of alerts"); there != (c.want != nil) {
				t.Errorf("let out: %v\n%s", there, policy)
			}
			for _, want := range c.want {
				if !strings.Contains(policy, want) {
					t.Errorf("no %q in:\n%s", want, policy)
				}
			}
		})
	}
}
