package compose

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the generated alerts")

const chart = "deploy/helm/hqms-sidecar/"

// The chart's template is the one source; its values are the chart's own.
func TestAlertsAreThoseOfTheChart(t *testing.T) {
	t.Parallel()
	want := alerts(t)
	file := filepath.Join(root, "deploy/compose/prometheus/alerts.yml")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil || string(stored) != want {
		t.Errorf("%s differs from the chart's alerts (%v): run go generate ./internal/compose", file, err)
	}
	if n := strings.Count(want, "- alert: "); n < 8 || strings.Contains(want, "kubectl") {
		t.Errorf("%d alerts:\n%s", n, want)
	}
}

// alerts renders the chart's rules as Prometheus itself reads them.
func alerts(t *testing.T) string {
	t.Helper()
	var values map[string]any
	if err := yaml.Unmarshal([]byte(read(t, chart+"values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	values["prometheusRule"].(map[string]any)["enabled"] = true
	rules, err := template.New("").Funcs(template.FuncMap{
		"include": func(name string, _ any) string { return strings.TrimSuffix(name, ".fullname") },
		"nindent": func(int, string) string { return "" },
		"toYaml":  func(any) string { return "" },
		"quote":   strconv.Quote,
		"int64":   func(n int) int { return n },
		"mul":     func(a, b int) int { return a * b },
	}).Parse(read(t, chart+"templates/prometheusrule.yaml"))
	if err != nil {
		t.Fatalf("the template uses a function that this test does not know: %v", err)
	}
	var out bytes.Buffer
	if err := rules.Execute(&out, map[string]any{"Values": values, "Release": map[string]string{"Namespace": "compose"}}); err != nil {
		t.Fatal(err)
	}
	_, spec, _ := strings.Cut(out.String(), "\nspec:\n")
	text := "# generated from the chart's alerts; do not edit: make generate\n"
	for line := range strings.Lines(spec) {
		if line = strings.TrimRight(strings.TrimPrefix(line, "  "), " \n"); line != "" {
			text += line + "\n"
		}
	}
	return strings.NewReplacer(
		"kubectl describe pod，kubectl logs --previous。", "docker compose ps，docker compose logs sidecar。",
		"更新 Secret，无需重启。Correct the Secret; no restart is needed.", "更正密码文件，无需重启。Correct the file of the password; no restart is needed.",
	).Replace(text)
}

func TestPrometheusTakesItsFiles(t *testing.T) {
	t.Parallel()
	var config struct {
		RuleFiles []string `yaml:"rule_files"`
		Scrape    []struct {
			DNS []struct {
				Names []string
				Port  int
			} `yaml:"dns_sd_configs"`
			Relabel []map[string]string `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "deploy/compose/prometheus/prometheus.yml")), &config); err != nil {
		t.Fatal(err)
	}
	services := load(t, "docker-compose.yml").Services
	for _, name := range config.Scrape[0].DNS[0].Names {
		if _, ok := services[name]; !ok {
			t.Errorf("%s is scraped and is no service", name)
		}
	}
	labels := map[string]string{}
	for _, r := range config.Scrape[0].Relabel {
		labels[r["target_label"]] = r["replacement"]
	}
	for _, want := range []string{`namespace="` + labels["namespace"] + `"`, `service="` + labels["service"] + `"`} {
		if !strings.Contains(read(t, "deploy/compose/prometheus/alerts.yml"), want) {
			t.Errorf("no alert asks for %s", want)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not there: Prometheus itself has not read its files")
		return
	}
	out, err := exec.CommandContext(t.Context(), promtool, "check", "config", filepath.Join(root, "deploy/compose/prometheus/prometheus.yml")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGrafanaIsGivenTheChartsDashboard(t *testing.T) {
	t.Parallel()
	var sources struct {
		Datasources []struct{ Name, Type, URL string }
	}
	if err := yaml.Unmarshal([]byte(read(t, "deploy/compose/grafana/datasources/prometheus.yml")), &sources); err != nil {
		t.Fatal(err)
	}
	services := load(t, "docker-compose.yml").Services
	for _, s := range sources.Datasources {
		host := strings.Split(strings.TrimPrefix(s.URL, "http://"), ":")[0]
		if _, ok := services[host]; !ok || s.Type != host {
			t.Errorf("%+v is no service", s)
		}
	}
	var mounted string
	for _, v := range services["grafana"].Volumes {
		if text, ok := v.(string); ok && strings.Contains(text, "dashboard.json") {
			mounted = text
		}
	}
	if !strings.HasPrefix(mounted, "./"+chart+"files/dashboard.json:/dashboards/") || !strings.Contains(read(t, "deploy/compose/grafana/dashboards/hqms-sidecar.yml"), "path: /dashboards}") {
		t.Errorf("the dashboard is mounted as %q, and Grafana looks elsewhere", mounted)
	}
}
