package docker

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What ends the container at once, with words that say what to do.
func TestWhatCannotWorkIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  map[string]string
		harm func(p *project)
		code int
		want []string
	}{
		"a secret is missing": {set: flu(), harm: func(p *project) {
			if err := os.Remove(filepath.Join(p.dir, "deploy/compose/secrets/flu_password")); err != nil {
				p.t.Fatal(err)
			}
		}, code: 2, want: []string{"FLU_PASSWORD_FILE", "/run/secrets/flu_password", "→ 请", "→ "}},
		"a secret is another's": {set: flu(), harm: func(p *project) {
			if err := os.Chmod(filepath.Join(p.dir, "deploy/compose/secrets/flu_password"), 0o600); err != nil {
				p.t.Fatal(err)
			}
		}, code: 2, want: []string{"FLU_PASSWORD_FILE", "permission denied", "→ 请", "→ "}},
		"a variable is misspelt":      {set: flu("FLU_WATCHDIR=/export/flu"), code: 2, want: []string{"FLU_WATCHDIR", "FLU_WATCH_DIR", "→ 请", "→ "}},
		"the database is no database": {set: flu("DATABASE_URL=mysql://u@h/d"), code: 2, want: []string{"DATABASE_URL", "postgres://", "→ 请", "→ "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			p.settings(c.set)
			if c.harm != nil {
				c.harm(p)
			}
			out, code := p.once("sidecar")
			if code != c.code {
				t.Errorf("it ended with %d", code)
			}
			says(t, out, c.want...)
		})
	}
}

func says(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// Of two with the same state the second finds the journal held by the first.
func TestASecondSidecarWithoutADatabaseIsRefused(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.must("up", "-d", "sidecar")
	until(t, "the first one answers", func() bool { return get(t, p.api+"/livez", nil) == 200 })
	out, code := p.once("sidecar-2")
	if code != 1 {
		t.Errorf("it ended with %d", code)
	}
	says(t, out, "journal.lock", "正由另一个实例使用", "for several set DATABASE_URL")
	if !p.inspect("sidecar").State.Running || get(t, p.api+"/livez", nil) != 200 {
		t.Error("the first one does not run any more")
	}
}

// volume makes a volume as the HIS' own project has it: its files and directories
// belong to uid 1000.
func volume(t *testing.T, p *project, files ...string) string {
	t.Helper()
	name := p.name + "_his"
	docker(t, nil, "volume", "create", name)
	holder := docker(t, nil, "create", "-v", name+":/export", "hqms-sidecar:"+w.version, "version")
	t.Cleanup(func() {
		docker(t, nil, "rm", "-f", holder)
		_, _ = p.run("--profile", "demo", "down", "-t", "5")
		docker(t, nil, "volume", "rm", name)
	})
	put := func(h *tar.Header, content []byte) {
		h.Uid, h.Gid = 1000, 1000
		docker(t, packed(h, content), "cp", "-", holder+":/export")
	}
	put(&tar.Header{Name: "flu/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		put(&tar.Header{Name: "flu/" + filepath.Base(file), Typeflag: tar.TypeReg, Mode: 0o644}, content)
	}
	p.env["COMPOSE_FILE"], p.env["EXPORT_VOLUME"] = "docker-compose.yml:deploy/compose/his-volume.yml", name
	return holder
}

// listed is what is in the volume, with its owners.
func listed(t *testing.T, holder string) map[string]int {
	t.Helper()
	owners := map[string]int{}
	r := tar.NewReader(strings.NewReader(docker(t, nil, "cp", holder+":/export/flu", "-") + "\n"))
	for {
		h, err := r.Next()
		if err != nil {
			return owners
		}
		owners[h.Name] = h.Uid
	}
}

func TestAVolumeOfAnotherUserIsNamedWithTheUid(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	file := exported(t, 20)
	holder := volume(t, p, file)
	p.settings(flu())
	p.must("up", "-d", "sidecar")
	until(t, "it says that it is not ready", func() bool { return strings.Contains(readiness(t, p), "permission_denied") })
	says(t, readiness(t, p), "/export/flu", "uid=1000", "65532")
	says(t, p.logs("sidecar"), "chown -R 65532:65532", "uid=1000")
	out, code := p.once("sidecar-2", "check")
	if code != 1 {
		t.Errorf("check ended with %d", code)
	}
	says(t, out, "65532", "1000", "chown")
	if owners := listed(t, holder); owners["flu/"+filepath.Base(file)] != 1000 || owners["flu/"] != 1000 {
		t.Errorf("the volume was changed: %v", owners)
	}
}

func readiness(t *testing.T, p *project) string {
	t.Helper()
	resp, err := w.engine.http().Get(p.api + "/readyz")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

func TestAsTheOwnerOfTheVolumeItWorks(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	file := exported(t, 20)
	holder := volume(t, p, file)
	p.settings(flu())
	p.env["SIDECAR_USER"] = "1000:1000"
	p.must("--profile", "demo", "up", "-d", "sidecar", "sandbox")
	p.untilVerdict("accepted")
	var channels struct {
		Items []struct {
			Probe string `json:"writer_probe"`
		}
	}
	if get(t, p.api+"/channels", &channels); len(channels.Items) != 1 || channels.Items[0].Probe != "works" {
		t.Errorf("%+v", channels)
	}
	until(t, "the original has been put away", func() bool { _, there := listed(t, holder)["flu/"+filepath.Base(file)]; return !there })
	if owners := listed(t, holder); owners["flu/"] != 1000 {
		t.Errorf("the volume was changed: %v", owners)
	}
}

func TestAReadOnlyVolumeIsNamedWithTheSetting(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "flu"), 0o755); err != nil {
		t.Fatal(err)
	}
	overlay := "services:\n  sidecar: &s\n    volumes:\n      - {type: bind, source: " + dir + ", target: /export, read_only: true}\n  sidecar-2: *s\n"
	if err := os.WriteFile(filepath.Join(p.dir, "read-only.yml"), []byte(overlay), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.env["COMPOSE_FILE"] = "docker-compose.yml:read-only.yml"
	p.settings(flu())
	out, code := p.once("sidecar-2", "check")
	if code != 1 {
		t.Errorf("check ended with %d", code)
	}
	says(t, out, "/export/flu", "ON_ACCEPTED", "keep")
	p.must("up", "-d", "sidecar")
	until(t, "it says that it is not ready", func() bool { return strings.Contains(readiness(t, p), "read_only") })
	says(t, p.logs("sidecar"), "FLU_ON_ACCEPTED=keep", "以读写方式挂载")
}
