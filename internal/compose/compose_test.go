package compose

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = "../.."

// service is what the tests read of one.
type service struct {
	Image       string
	Build       map[string]string
	User        string
	Command     any
	Profiles    []string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	Privileged  bool
	Restart     string
	MemLimit    string `yaml:"mem_limit"`
	PidsLimit   int    `yaml:"pids_limit"`
	Logging     struct{ Options map[string]string }
	Volumes     []any
	Ports       []string
}

type project struct {
	Services map[string]service
	Volumes  map[string]any
}

func load(t *testing.T, name string) project {
	t.Helper()
	var p project
	if err := yaml.Unmarshal([]byte(read(t, name)), &p); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryServiceIsKeptFromWhatItDoesNotNeed(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, "docker-compose.yml").Services {
		for what, ok := range map[string]bool{
			"its root is not read-only":          s.ReadOnly,
			"it keeps capabilities":              slices.Equal(s.CapDrop, []string{"ALL"}) && len(s.CapAdd) == 0 && !s.Privileged,
			"it may gain privileges":             slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
			"its memory has no limit":            s.MemLimit != "",
			"its processes have no limit":        s.PidsLimit > 0,
			"its log is never rotated":           s.Logging.Options["max-size"] != "" && s.Logging.Options["max-file"] != "",
			"it does not come back after a boot": s.Restart == "unless-stopped",
			"it may be root":                     name == "sandbox" || s.User != "" && !strings.HasPrefix(s.User, "0"), // the sandbox' image has its own user
			"its image has no version":           regexp.MustCompile(`:(v?\d[\w.-]+|\$\{SIDECAR_VERSION:-dev\})$`).MatchString(s.Image),
			"its port is open to the network":    !slices.ContainsFunc(s.Ports, func(p string) bool { return !strings.Contains(p, ":-127.0.0.1:") }),
		} {
			if !ok {
				t.Errorf("%s: %s", name, what)
			}
		}
	}
}

func TestWithoutAProfileTheSidecarRunsAlone(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"sidecar": "", "sandbox": "demo", "exporter": "demo", "sidecar-2": "ha", "postgres": "ha",
		"jaeger": "observability", "prometheus": "observability", "grafana": "observability",
	}
	services := load(t, "docker-compose.yml").Services
	for name, s := range services {
		if profile, known := want[name]; !known || profile != strings.Join(s.Profiles, ",") {
			t.Errorf("%s has the profiles %v, want %q", name, s.Profiles, profile)
		}
	}
	if len(services) != len(want) {
		t.Errorf("%d services, want %d", len(services), len(want))
	}
}

// Both replicas must take the same journal: were it the first alone that had the
// database, each file would be sent twice.
func TestReplicasHaveTheSameSettings(t *testing.T) {
	t.Parallel()
	var p struct{ Services map[string]map[string]any }
	if err := yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &p); err != nil {
		t.Fatal(err)
	}
	first, second := p.Services["sidecar"], p.Services["sidecar-2"]
	for key, value := range first {
		a, _ := yaml.Marshal(value)
		b, _ := yaml.Marshal(second[key])
		if key != "ports" && string(a) != string(b) {
			t.Errorf("%s: %s and %s", key, a, b)
		}
	}
}

func TestAVolumeOfTheHISIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, "docker-compose.yml").Services {
		text, _ := yaml.Marshal(s.Command)
		if regexp.MustCompile(`\b(chown|chmod|sh)\b`).Match(text) {
			t.Errorf("%s runs %s", name, text)
		}
	}
	p := load(t, "deploy/compose/his-volume.yml")
	export, _ := p.Volumes["export"].(map[string]any)
	if export["external"] != true || !strings.HasPrefix(export["name"].(string), "${EXPORT_VOLUME:?") {
		t.Errorf("the volume may be made anew: %v", export)
	}
	for _, name := range []string{"sidecar", "sidecar-2"} {
		mount, _ := p.Services[name].Volumes[0].(map[string]any)
		options, _ := mount["volume"].(map[string]any)
		if mount["target"] != "/export" || options["nocopy"] != true {
			t.Errorf("%s: an empty volume would be filled from the image: %v", name, mount)
		}
	}
}

func TestWhatIsMountedIsThere(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`(?:[-\s"]|:-)(\./[\w./-]+|deploy/[\w./-]+)`).FindAllStringSubmatch(read(t, "docker-compose.yml"), -1)
	if len(found) < 6 {
		t.Fatalf("only %v found", found)
	}
	for _, m := range found {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Error(err)
		}
	}
}
