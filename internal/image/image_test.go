package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/licences"
)

func release() Release {
	return Release{Version: "v0.0.1-test", Revision: "0123456789abcdef0123456789abcdef01234567", Created: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
}

// made is the sandbox' image, built once: it is the smaller one.
var made = sync.OnceValues(func() (Image, error) {
	work, err := os.MkdirTemp("", "image")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(work)
	return Source{Root: "../..", Work: work}.Make(context.Background(), Products()[1], "amd64", release())
})

func sandbox(t *testing.T) Image {
	t.Helper()
	i, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func written(t *testing.T, i Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := i.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAnImageHasWhatIsListedAndNothingElse(t *testing.T) {
	t.Parallel()
	report, err := Check(bytes.NewReader(written(t, sandbox(t))))
	if err != nil || len(report.Faults) > 0 {
		t.Fatalf("%v\n%s", err, strings.Join(report.Faults, "\n"))
	}
	if report.Name != "hqms-sandbox" || report.Version != release().Version || len(report.Files) != 21 {
		t.Errorf("%+v", report)
	}
}

// Another folder, other surroundings, another day: the same bytes.
func TestSameSourceGivesSameBytes(t *testing.T) {
	root := t.TempDir()
	for _, part := range []string{"api", "cmd", "internal"} {
		if err := os.CopyFS(filepath.Join(root, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum", "LICENSE"} {
		content, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{"GOFLAGS": "-tags=netgo", "GOAMD64": "v3", "CGO_ENABLED": "1", "TZ": "America/New_York", "LANG": "zh_CN.UTF-8"} {
		t.Setenv(name, value)
	}
	again, err := Source{Root: root, Work: t.TempDir()}.Make(t.Context(), Products()[1], "amd64", release())
	if err != nil {
		t.Fatal(err)
	}
	first := sandbox(t)
	if again.Digest() != first.Digest() || !bytes.Equal(written(t, again), written(t, first)) {
		t.Errorf("%s and %s", first.Digest(), again.Digest())
	}
}

func TestBillNamesEveryModuleOfTheProgram(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p")
	i := sandbox(t)
	report, err := readArchive(bytes.NewReader(written(t, i)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, report.files["hqms-sandbox"].data, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(report.files[docs+"sbom.cdx.json"].data, &b); err != nil {
		t.Fatal(err)
	}
	has := map[string]component{}
	for _, c := range b.Components {
		has[c.Name+"@"+c.Version] = c
		if len(c.Licences) == 0 || c.Licences[0].Expression == "" || !strings.HasPrefix(c.PURL, "pkg:golang/") {
			t.Errorf("%s: licence %v, purl %s", c.Name, c.Licences, c.PURL)
		}
	}
	modules := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(string(out), -1)
	if len(modules) == 0 {
		t.Fatalf("no module in\n%s", out)
	}
	for _, m := range modules {
		if _, ok := has[m[1]+"@"+m[2]]; !ok {
			t.Errorf("%s %s is in the program and not in the bill", m[1], m[2])
		}
	}
	if b.Spec != "1.6" || !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(b.Serial) || b.Metadata.Timestamp != "2026-11-29T12:00:00Z" {
		t.Errorf("%s %s %s", b.Spec, b.Serial, b.Metadata.Timestamp)
	}
	if n := len(licences.Modules()); n < 50 {
		t.Errorf("%d modules have a licence", n)
	}
}

func TestWhatIsNotAsItHasToBeIsFound(t *testing.T) {
	t.Parallel()
	good := sandbox(t)
	for name, c := range map[string]struct {
		entry  entry // put over the others
		change func(*configuration)
		want   string
	}{
		"a shell":                  {entry: entry{name: "bin/sh", mode: 0o755}, want: "bin/sh is not on the list"},
		"data of another owner":    {entry: entry{name: "var/lib/hqms-sandbox/", mode: 0o770}, want: "var/lib/hqms-sandbox/ 0770 0:0, and it is to be"},
		"a program anyone changes": {entry: entry{name: "hqms-sandbox", mode: 0o777}, want: "hqms-sandbox 0777"},
		"no program":               {entry: entry{name: "hqms-sandbox", mode: 0o755, data: []byte("#!")}, want: "hqms-sandbox is no program"},
		"no authorities":           {entry: entry{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644}, want: "no authority to trust"},
		"no bill":                  {entry: entry{name: docs + "sbom.cdx.json", mode: 0o644, data: []byte("{}")}, want: "bill of materials"},
		"no licences":              {entry: entry{name: docs + "THIRD_PARTY_LICENSES.txt", mode: 0o644}, want: "THIRD_PARTY_LICENSES.txt is empty"},
		"too large":                {entry: entry{name: docs + "LICENSE", mode: 0o644, data: noise(most)}, want: "bytes compressed"},
		"root":                     {change: func(c *configuration) { c.Config.User = "" }, want: "does not run as"},
		"no health check":          {change: func(c *configuration) { c.Config.Healthcheck = nil }, want: "no health check"},
		"no revision":              {change: func(c *configuration) { delete(c.Config.Labels, "org.opencontainers.image.revision") }, want: "revision is empty"},
		"another machine":          {change: func(c *configuration) { c.Architecture = "arm64" }, want: "the image for arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := good
			if c.entry.name != "" {
				over, err := newLayer([]entry{c.entry}, release().Created)
				if err != nil {
					t.Fatal(err)
				}
				i.layers = append(slices.Clone(good.layers), over)
			}
			var config configuration
			if err := json.Unmarshal(good.config, &config); err != nil {
				t.Fatal(err)
			}
			if c.change != nil {
				c.change(&config)
			}
			i.config = encode(config)
			report, err := Check(bytes.NewReader(written(t, i)))
			if err != nil || !strings.Contains(strings.Join(report.Faults, "\n"), c.want) {
				t.Errorf("%v, %q; want %q", err, report.Faults, c.want)
			}
		})
	}
}

// noise does not compress.
func noise(n int) []byte {
	b, x := make([]byte, n), uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

func TestAllPlatformsStandUnderOneName(t *testing.T) {
	t.Parallel()
	amd := sandbox(t)
	arm := newImage(amd.Product, "arm64", release(), amd.layers)
	var out bytes.Buffer
	if err := WriteIndex(&out, []Image{amd, arm}); err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	if err := eachEntry(&out, func(h *tar.Header, content []byte) error { parts[h.Name] = content; return nil }); err != nil {
		t.Fatal(err)
	}
	var index, all manifest
	if err := json.Unmarshal(parts["index.json"], &index); err != nil || len(index.Manifests) != 1 {
		t.Fatalf("%v %+v", err, index)
	}
	if err := json.Unmarshal(parts[blob(index.Manifests[0].Digest)], &all); err != nil || len(all.Manifests) != 2 {
		t.Fatalf("%v %+v", err, all)
	}
	for i, want := range []Image{amd, arm} {
		if d := all.Manifests[i]; d.Digest != want.Digest() || d.Platform.Architecture != want.Arch || parts[blob(d.Digest)] == nil {
			t.Errorf("%+v", d)
		}
	}
}

func TestTreeOfTheDockerfileHasTheSameFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := (Source{Root: "../..", Work: t.TempDir()}).WriteTree(t.Context(), Products()[1], "amd64", release(), dir); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, part := range []string{"files", "own"} {
		err := fs.WalkDir(os.DirFS(filepath.Join(dir, part)), ".", func(name string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() {
				name += "/"
			}
			if name != "./" && !slices.Contains(got, name) {
				got = append(got, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, e := range append(base(nil, nil, nil), program(Products()[1], nil, nil)...) {
		want = append(want, e.name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}
