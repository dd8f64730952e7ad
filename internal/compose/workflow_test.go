package compose

import (
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What the forge's workflow runs is there, and nothing that must hold is left out.
func TestTheWorkflowRunsTargetsThatExist(t *testing.T) {
	t.Parallel()
	var flow struct {
		Jobs map[string]struct {
			Steps []struct{ Run, Uses string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, ".github/workflows/ci.yml")), &flow); err != nil {
		t.Fatal(err)
	}
	makefile, ran := read(t, "Makefile"), map[string]bool{}
	for name, job := range flow.Jobs {
		for _, s := range job.Steps {
			for _, m := range regexp.MustCompile(`(?m)\bmake ([\w-]+)`).FindAllStringSubmatch(s.Run, -1) {
				ran[m[1]] = true
				if !strings.Contains(makefile, "\n"+m[1]+":") {
					t.Errorf("%s: there is no make %s", name, m[1])
				}
			}
			if s.Uses != "" && !regexp.MustCompile(`^actions/[\w-]+@v\d+$`).MatchString(s.Uses) {
				t.Errorf("%s uses %s: the forge's own actions alone", name, s.Uses)
			}
		}
	}
	for _, target := range []string{"build", "verify", "lint", "test", "vuln", "image-check", "e2e-docker", "chart", "e2e-k8s"} {
		if !ran[target] {
			t.Errorf("make %s is run by no job", target)
		}
	}
}
