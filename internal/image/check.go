package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// most is how large an image may be, compressed.
const most = 20_000_000

// Report is what an archive holds.
type Report struct {
	Name, Arch, Version string
	Packed              int      // bytes of the compressed layers
	Files               []string // with mode and owner, sorted
	Faults              []string // what is not as it has to be
}

// archived is an archive's parts as they were read.
type archived struct {
	config configuration
	files  map[string]entry
	packed int
}

// Check holds an archive, ours or docker save's, against what an image is to be.
func Check(r io.Reader) (Report, error) {
	a, err := readArchive(r)
	if err != nil {
		return Report{}, err
	}
	rep := Report{Arch: a.config.Architecture, Version: a.config.Config.Labels["org.opencontainers.image.version"], Packed: a.packed}
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		rep.Files = append(rep.Files, a.files[name].String())
	}
	i := slices.IndexFunc(Products(), func(p Product) bool { return slices.Equal(a.config.Config.Entrypoint, []string{"/" + p.Name}) })
	if i < 0 {
		rep.Faults = append(rep.Faults, fmt.Sprintf("the entry point %q is no product's", a.config.Config.Entrypoint))
		return rep, nil
	}
	p := Products()[i]
	rep.Name = p.Name
	rep.Faults = slices.Concat(a.listed(p), a.binary(p), a.papers(), a.running(p))
	if a.packed > most {
		rep.Faults = append(rep.Faults, fmt.Sprintf("%d bytes compressed, more than %d", a.packed, most))
	}
	return rep, nil
}

// listed compares the files with the list, both ways.
func (a archived) listed(p Product) (faults []string) {
	want := map[string]entry{}
	for _, e := range append(base(nil, nil, nil), program(p, nil, nil)...) {
		want[e.name] = e
		if got, ok := a.files[e.name]; !ok {
			faults = append(faults, e.name+" is missing")
		} else if got.String() != e.String() {
			faults = append(faults, fmt.Sprintf("%s, and it is to be %s", got, e))
		}
	}
	for name := range a.files {
		if _, ok := want[name]; !ok {
			faults = append(faults, name+" is not on the list")
		}
	}
	slices.Sort(faults)
	return faults
}

func (a archived) binary(p Product) []string {
	f, err := elf.NewFile(bytes.NewReader(a.files[p.Name].data))
	if err != nil {
		return []string{p.Name + " is no program: " + err.Error()}
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[a.config.Architecture]
	var faults []string
	if f.Machine != machine {
		faults = append(faults, fmt.Sprintf("%s is for %v, the image for %s", p.Name, f.Machine, a.config.Architecture))
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		faults = append(faults, p.Name+" wants libraries that the image has not")
	}
	return faults
}

func (a archived) papers() []string {
	var faults []string
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.files["etc/ssl/certs/ca-certificates.crt"].data) {
		faults = append(faults, "there is no authority to trust")
	}
	var b bom
	if err := json.Unmarshal(a.files[docs+"sbom.cdx.json"].data, &b); err != nil || b.Format != "CycloneDX" || len(b.Components) < 3 {
		faults = append(faults, fmt.Sprintf("the bill of materials says nothing (%v, %d parts)", err, len(b.Components)))
	}
	for _, name := range []string{"LICENSE", "THIRD_PARTY_LICENSES.txt"} {
		if len(a.files[docs+name].data) < 1000 {
			faults = append(faults, name+" is empty")
		}
	}
	return faults
}

// running looks at what an engine is told.
func (a archived) running(p Product) []string {
	var faults []string
	c := a.config.Config
	for what, ok := range map[string]bool{
		"it does not run as 65532:65532": c.User == "65532:65532",
		"it has no health check":         c.Healthcheck != nil && slices.Equal(c.Healthcheck.Test, []string{"CMD", "/" + p.Name, "healthcheck"}),
		"its ports are others":           slices.Equal(slices.Sorted(maps.Keys(c.ExposedPorts)), p.Ports),
		"its volumes are others":         slices.Equal(slices.Sorted(maps.Keys(c.Volumes)), p.Volumes),
	} {
		if !ok {
			faults = append(faults, what)
		}
	}
	for _, label := range []string{"title", "description", "licenses", "version", "revision", "created", "source"} {
		if v := c.Labels["org.opencontainers.image."+label]; v == "" || v == "dev" && label == "revision" {
			faults = append(faults, "the label "+label+" is empty")
		}
	}
	slices.Sort(faults)
	return faults
}

// readArchive reads a whole archive; images here are small.
func readArchive(r io.Reader) (archived, error) {
	parts := map[string][]byte{}
	err := eachEntry(r, func(h *tar.Header, content []byte) error {
		parts[h.Name] = content
		if h.Typeflag == tar.TypeSymlink { // docker save before 25: a layer that another image has too
			parts[h.Name] = []byte(h.Linkname)
		}
		return nil
	})
	if err != nil {
		return archived{}, fmt.Errorf("read archive: %w", err)
	}
	var list []saved
	if err := json.Unmarshal(parts["manifest.json"], &list); err != nil || len(list) != 1 {
		return archived{}, fmt.Errorf("the archive holds %d images, want one (%w)", len(list), err)
	}
	a := archived{files: map[string]entry{}}
	if err := json.Unmarshal(parts[list[0].Config], &a.config); err != nil {
		return archived{}, fmt.Errorf("read configuration: %w", err)
	}
	for _, name := range list[0].Layers {
		if err := a.addLayer(parts[name]); err != nil {
			return archived{}, fmt.Errorf("read layer %s: %w", name, err)
		}
	}
	return a, nil
}

// addLayer puts a layer over those before.
func (a *archived) addLayer(content []byte) error {
	var plain io.Reader = bytes.NewReader(content)
	z, err := gzip.NewReader(bytes.NewReader(content))
	switch {
	case err == nil:
		plain = z
		a.packed += len(content)
	case errors.Is(err, gzip.ErrHeader):
		a.packed += packedSize(content)
	default:
		return err
	}
	return eachEntry(plain, func(h *tar.Header, content []byte) error {
		if h.Uid != h.Gid {
			return fmt.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(h.Name, "./"), "/")
		if name != "" && name != "." {
			a.files[name] = entry{name: name, mode: fs.FileMode(h.Mode & 0o7777), uid: h.Uid, data: content}
		}
		return nil
	})
}

func packedSize(plain []byte) int {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(plain) // into memory
	_ = z.Close()
	return packed.Len()
}

func eachEntry(r io.Reader, do func(h *tar.Header, content []byte) error) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if err := do(h, content); err != nil {
			return err
		}
	}
}
