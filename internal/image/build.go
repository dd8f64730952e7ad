package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/licences"
)

// Source is where images are made from.
type Source struct {
	Root string // of the module
	Work string // an empty directory for what is built
}

// Make builds the program and makes its image.
func (s Source) Make(ctx context.Context, p Product, arch string, r Release) (Image, error) {
	common, own, err := s.contents(ctx, p, arch, r)
	if err != nil {
		return Image{}, err
	}
	var layers []layer
	for _, entries := range [][]entry{common, own} {
		l, err := newLayer(entries, r.Created)
		if err != nil {
			return Image{}, err
		}
		layers = append(layers, l)
	}
	return newImage(p, arch, r, layers), nil
}

// contents are the files of the two layers.
func (s Source) contents(ctx context.Context, p Product, arch string, r Release) (common, own []entry, err error) {
	trusted, err := authorities()
	if err != nil {
		return nil, nil, err
	}
	licence, err := os.ReadFile(filepath.Join(s.Root, "LICENSE"))
	if err != nil {
		return nil, nil, err
	}
	file, err := s.compile(ctx, p, arch, r)
	if err != nil {
		return nil, nil, err
	}
	binary, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	materials, err := billOfMaterials(file, p, r)
	if err != nil {
		return nil, nil, err
	}
	return base(trusted, licence, []byte(licences.Texts)), program(p, binary, materials), nil
}

// compile builds the program the same way everywhere: what the surroundings could
// change of it is set here.
func (s Source) compile(ctx context.Context, p Product, arch string, r Release) (string, error) {
	out := filepath.Join(s.Work, p.Name+"-"+arch)
	cmd := exec.CommandContext(ctx, "go", //nolint:gosec // words of our own
		"build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X github.com/hqms-sidecar/hqms-sidecar/internal/app.Version="+r.Version, "-o", out, "./cmd/"+p.Name)
	cmd.Dir = s.Root
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "CGO_") && name != "GOFLAGS" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s for %s: %w\n%s", p.Name, arch, err, text)
	}
	return out, nil
}

// WriteTree writes the files of an image under dir, for a Dockerfile to copy: files/
// is to belong to root, own/ to the user.
func (s Source) WriteTree(ctx context.Context, p Product, arch string, r Release, dir string) error {
	common, own, err := s.contents(ctx, p, arch, r)
	if err != nil {
		return err
	}
	for _, e := range append(common, own...) {
		part := "files"
		if e.uid == user {
			part = "own"
		}
		path := filepath.Join(dir, part, e.name)
		if strings.HasSuffix(e.name, "/") {
			err = os.MkdirAll(path, 0o755) //nolint:gosec // of an image that anybody may read
		} else {
			err = os.WriteFile(path, e.data, e.mode.Perm())
		}
		if err == nil {
			err = os.Chmod(path, e.mode.Perm()|modeBits(e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func modeBits(e entry) os.FileMode {
	if e.mode&0o1000 != 0 {
		return os.ModeSticky
	}
	return 0
}
