package chart

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
)

const root = "../../deploy/helm/hqms-sidecar"

var update = flag.Bool("update", false, "write the generated list of variables")

func TestVariablesAreTheProgramsOwn(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	for _, v := range config.Variables() {
		want.WriteString(v.Name)
		if v.Secret {
			want.WriteString(" secret")
		}
		want.WriteString("\n")
	}
	file := filepath.Join(root, "files", "variables.txt")
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(stored, want.Bytes()) {
		t.Errorf("%s is not what the program knows (%v): run go generate ./internal/chart", file, err)
	}
}

func TestDefaultsNameVariablesOfTheProgram(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	values, err := os.ReadFile(filepath.Join(root, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(HQMS|FLU|API|TLS)_[A-Z_]+[A-Z]`).FindAllString(string(values), -1)
	if len(found) < 6 {
		t.Fatalf("only %v found", found)
	}
	for _, name := range found {
		if !known[name] {
			t.Errorf("values.yaml: %s is no variable of the program", name)
		}
	}
}

func TestEveryMetricOfAnAlertAndOfThePanelIsMade(t *testing.T) {
	t.Parallel()
	made := metricsMade(t)
	for _, file := range []string{"templates/prometheusrule.yaml", "files/dashboard.json"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`hqms_[a-z_]+[a-z]`).FindAllString(string(text), -1) {
			if !made[strings.TrimSuffix(name, "_bucket")] {
				t.Errorf("%s: nothing makes %s", file, name)
			}
		}
	}
}

// metricsMade reads the names from the source of telemetry.
func metricsMade(t *testing.T) map[string]bool {
	t.Helper()
	made := map[string]bool{}
	sources, err := filepath.Glob("../telemetry/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range sources {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"(hqms_[a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			made[m[1]] = true
		}
	}
	return made
}

func TestExamplesRender(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Glob(filepath.Join(root, "examples", "*.yaml"))
	if err != nil || len(examples) < 4 {
		t.Fatalf("examples %v, %v", examples, err)
	}
	for _, file := range examples {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			if out, err := helm(t, "lint", "--strict", root, "-f", file); err != nil {
				t.Errorf("lint: %v\n%s", err, out)
			}
			out, err := helm(t, "template", "test", root, "-f", file)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range []string{
				"readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "drop: [ALL]", "automountServiceAccountToken: false",
				"runAsNonRoot: true", "kind: NetworkPolicy", "/livez", "/readyz", "GOMEMLIMIT, value: 230MiB", "helm.sh/hook: test",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q", want)
				}
			}
		})
	}
}

func TestModesShowInWhatIsMade(t *testing.T) {
	t.Parallel()
	alone := render(t, "-f", filepath.Join(root, "examples/standalone.yaml"))
	shared := render(t, "-f", filepath.Join(root, "examples/shared.yaml"))
	for _, c := range []struct{ in, want, without string }{
		{alone, "type: Recreate", "PodDisruptionBudget"},
		{alone, "claimName: test-hqms-sidecar-state", "DATABASE_URL"},
		{shared, "kind: PodDisruptionBudget", "Recreate"},
		{shared, "subPath: .hqms-sidecar", "kind: PersistentVolumeClaim"},
		{shared, "name: DATABASE_URL_FILE", "claimName: test-hqms-sidecar-state"},
		{shared, "kind: ServiceMonitor", "kind: Secret"},
		{shared, "kind: PrometheusRule", "kind: Job"},
	} {
		if !strings.Contains(c.in, c.want) {
			t.Errorf("no %q", c.want)
		}
		if strings.Contains(c.in, c.without) {
			t.Errorf("%q is there beside %q", c.without, c.want)
		}
	}
}

func TestSettingsRollThePodsAndSecretsDoNot(t *testing.T) {
	t.Parallel()
	base := []string{"--set", "export.existingClaim=c", "--set", "secrets.create.HQMS_ACCOUNT=a"}
	stamp := func(more ...string) string {
		return regexp.MustCompile(`hqms-sidecar/settings: (\w+)`).FindString(render(t, append(base, more...)...))
	}
	first := stamp()
	if first == "" || stamp("--set", "env.LOG_LEVEL=debug") == first {
		t.Error("a changed setting does not roll the pods")
	}
	if stamp("--set", "secrets.create.HQMS_ACCOUNT=b") != first {
		t.Error("a changed secret rolls the pods; its file is read again")
	}
}

func TestWrongValuesAreRefusedWithTheRemedy(t *testing.T) {
	t.Parallel()
	good := []string{"--set", "export.existingClaim=c", "--set", "secrets.existing=s"}
	for name, c := range map[string]struct {
		set  string
		want []string
	}{
		"two stand-alone replicas":   {"replicas=2", []string{"SQLite", "mode: shared", "补救", "Remedy"}},
		"shared without a database":  {"mode=shared", []string{"DATABASE_URL", "补救", "Remedy"}},
		"unknown value":              {"replica=2", []string{"replica"}},
		"unknown value further down": {"state.sice=1Gi", []string{"sice"}},
		"no such mode":               {"mode=cluster", []string{"mode"}},
		"no such variable":           {"env.HQMS_WATCHDIR=/x", []string{"HQMS_WATCHDIR", "补救", "Remedy"}},
		"secret among the settings":  {"env.HQMS_PASSWORD=x", []string{"HQMS_PASSWORD", "secrets", "补救", "Remedy"}},
		"no such secret":             {"secrets.keys={HQMS_PASSWORT}", []string{"HQMS_PASSWORT", "HQMS_PASSWORD"}},
		"no export volume":           {"export.existingClaim=", []string{"export.existingClaim", "补救", "Remedy"}},
		"no credentials":             {"secrets.existing=", []string{"secrets.create", "补救", "Remedy"}},
		"read-only export":           {"export.readOnly=true", []string{"HQMS_ON_ACCEPTED: keep"}},
		"root":                       {"podSecurity.runAsUser=0", []string{"runAsUser"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := helm(t, append(append([]string{"template", "test", root}, good...), "--set", c.set)...)
			if err == nil {
				t.Fatalf("%s is taken", c.set)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

func TestSidecarIsNativeWhereKubernetesKnowsIt(t *testing.T) {
	t.Parallel()
	his := hisChart(t)
	for _, kind := range []string{"deployment", "job"} {
		for version, native := range map[string]bool{"1.28.9": false, "1.29.0": true, "1.37.2": true} {
			out, err := helm(t, "template", "his", his, "--set", "kind="+kind, "--kube-version", version)
			if err != nil {
				t.Fatalf("%s on %s: %v\n%s", kind, version, err, out)
			}
			if got := strings.Contains(out, "restartPolicy: Always"); got != native || !strings.Contains(out, "name: hqms-sidecar\n") {
				t.Errorf("%s on %s: native %v, want %v\n%s", kind, version, got, native, out)
			}
		}
	}
}

// hisChart is a copy of the example, with its dependency beside it in charts/.
func hisChart(t *testing.T) string {
	t.Helper()
	his := filepath.Join(t.TempDir(), "his")
	if err := os.CopyFS(his, os.DirFS("../../deploy/helm/examples/his")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(his, "charts", "hqms-sidecar"), os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	return his
}

func TestKubeScoreHasNoFinding(t *testing.T) {
	t.Parallel()
	score := program(t, "kube-score")
	for _, name := range []string{"standalone", "shared", "flu-only", "csi"} {
		cmd := exec.CommandContext(t.Context(), score, "score", "--output-format", "ci",
			"--enable-optional-test", "container-seccomp-profile", "--enable-optional-test", "container-ports-check", "-")
		cmd.Stdin = strings.NewReader(render(t, "-f", filepath.Join(root, "examples", name+".yaml")))
		out, err := cmd.CombinedOutput()
		if err != nil || regexp.MustCompile(`(?m)^\[(CRITICAL|WARNING)\]`).Match(out) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func render(t *testing.T, args ...string) string {
	t.Helper()
	out, err := helm(t, append([]string{"template", "test", root}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "helm"), args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// program finds a tool on the path or in the cache that cluster/build.sh fills.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := find(name)
	if err == nil {
		return path
	}
	if os.Getenv("HQMS_CHART") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

func find(name string) (string, error) {
	cache := os.Getenv("HQMS_K8S_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "hqms-e2e-k8s")
	}
	if built := filepath.Join(cache, "bin", name); exec.Command(built, "version").Run() == nil {
		return built, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not there, make chart builds it: %w", name, err)
	}
	return path, nil
}
