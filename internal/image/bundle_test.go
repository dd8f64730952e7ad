package image

import (
	"archive/tar"
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

func bundled(t *testing.T) (archive []byte, parts map[string]string) {
	t.Helper()
	var out bytes.Buffer
	if err := (Source{Root: "../.."}).WriteBundle(&out, []Image{sandbox(t)}); err != nil {
		t.Fatal(err)
	}
	parts = map[string]string{}
	err := eachEntry(bytes.NewReader(out.Bytes()), func(h *tar.Header, content []byte) error {
		name, ok := strings.CutPrefix(h.Name, "hqms-sidecar-v0.0.1-test/")
		if !ok {
			t.Errorf("%s would be unpacked beside the others", h.Name)
		}
		parts[name] = string(content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), parts
}

func TestABundleHasAllThatAnInstallationNeeds(t *testing.T) {
	t.Parallel()
	_, parts := bundled(t)
	for _, name := range []string{
		"images/hqms-sandbox-v0.0.1-test-linux-amd64.tar", "sbom/hqms-sandbox-v0.0.1-test-linux-amd64.cdx.json",
		"docker-compose.yml", ".env.example", "deploy/compose/his-volume.yml", "deploy/compose/demo.env", "deploy/helm/hqms-sidecar/Chart.yaml",
		"docs/offline.md", "docs/offline.zh-CN.md", "docs/compose.md", "README.zh-CN.md", "LICENSE", "THIRD_PARTY_LICENSES.txt",
	} {
		if parts[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	if compose := parts["docker-compose.yml"]; strings.Contains(compose, "build:") || !strings.Contains(compose, "hqms-sidecar:${SIDECAR_VERSION:-v0.0.1-test}") {
		t.Errorf("the compose file builds, or does not name the release:\n%s", compose)
	}
	if !strings.Contains(parts[".env.example"], "\nSIDECAR_VERSION=v0.0.1-test\n") {
		t.Error("the example of settings names another release")
	}
	if report, err := Check(strings.NewReader(parts["images/hqms-sandbox-v0.0.1-test-linux-amd64.tar"])); err != nil || len(report.Faults) > 0 {
		t.Errorf("%v %v", err, report.Faults)
	}
}

// With the tools that a hospital has.
func TestSumsOfABundleAreItsFiles(t *testing.T) {
	t.Parallel()
	archive, parts := bundled(t)
	dir := t.TempDir()
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "--strip-components=1", "-C", dir)
	unpack.Stdin = bytes.NewReader(archive)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := strings.Count(parts["SHA256SUMS"], "\n"); n != len(parts)-1 {
		t.Errorf("%d sums of %d files", n, len(parts)-1)
	}
}
