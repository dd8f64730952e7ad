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

func TestMetricsAreScrapedWithWhatTheProgramAsksFor(t *testing.T) {
	t.Parallel()
	const token = "secrets.keys={HQMS_ACCOUNT,HQMS_PASSWORD,API_VIEW_TOKEN}"
	credentials := func(secret string) string {
		return "    authorization:\n      credentials: {name: " + secret + ", key: API_VIEW_TOKEN}\n"
	}
	for name, c := range map[string]struct {
		args          []string
		want, without string
	}{
		"open to everybody":       {nil, "interval: 30s", "authorization"},
		"with a token":            {[]string{"--set", token}, credentials("s"), "tlsConfig"},
		"of the chart's own":      {[]string{"--set", "secrets.create.API_VIEW_TOKEN=x"}, credentials("test-hqms-sidecar"), "tlsConfig"},
		"from a CSI volume":       {[]string{"--set", "secrets.existing=", "--set", "secrets.csi.providerClass=p", "--set", token}, "interval: 30s", "authorization"},
		"by a Secret of your own": {[]string{"--set", token, "--set-json", `serviceMonitor.authorization={"credentials":{"name":"mine","key":"k"}}`}, "        name: mine\n", "API_VIEW_TOKEN"},
		"by a private CA": {
			[]string{"--set", "env.TLS_CERT_FILE=/tls/tls.crt", "--set-json", `serviceMonitor.tlsConfig={"serverName":"hqms"}`},
			"    scheme: https\n    tlsConfig:\n      serverName: hqms", "authorization",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			monitor := part(t, "servicemonitor.yaml", append([]string{"--set", "serviceMonitor.enabled=true"}, c.args...)...) + "\n"
			if !strings.Contains(monitor, c.want) || strings.Contains(monitor, c.without) {
				t.Errorf("want %q, not %q:\n%s", c.want, c.without, monitor)
			}
		})
	}
}
