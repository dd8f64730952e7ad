package image

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/licences"
)

// The parts of a CycloneDX 1.6 bill of materials that are said here.
type bom struct {
	Format     string       `json:"bomFormat"`
	Spec       string       `json:"specVersion"`
	Serial     string       `json:"serialNumber"`
	Version    int          `json:"version"`
	Metadata   metadata     `json:"metadata"`
	Components []component  `json:"components"`
	Depends    []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type     string     `json:"type"`
	Ref      string     `json:"bom-ref"`
	Name     string     `json:"name"`
	Version  string     `json:"version"`
	Hashes   []hash     `json:"hashes,omitempty"`
	Licences []licence  `json:"licenses,omitempty"`
	PURL     string     `json:"purl,omitempty"`
	More     []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licence struct {
	Expression string `json:"expression"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// billOfMaterials says what is in the program, from what the compiler wrote into
// it, and what else is in the image.
func billOfMaterials(file string, p Product, r Release) ([]byte, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read build info of %s: %w", p.Name, err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	self := component{
		Type: "application", Ref: p.Name, Name: p.Name, Version: r.Version, Licences: []licence{{"Apache-2.0"}},
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}}, PURL: "pkg:golang/" + info.Main.Path + "@" + r.Version,
	}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" || s.Key == "GOOS" || s.Key == "CGO_ENABLED" {
			self.More = append(self.More, property{"build:" + s.Key, s.Value})
		}
	}
	b := bom{
		Format: "CycloneDX", Spec: "1.6", Serial: "urn:uuid:" + uuid(sum), Version: 1,
		Metadata: metadata{Timestamp: r.stamp(), Component: self}, Components: []component{goItself(info.GoVersion)},
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, ofModule("library", m))
	}
	if m := moduleOf("golang.org/x/crypto/x509roots/fallback"); m != nil {
		c := ofModule("data", m)
		c.Licences = []licence{{"BSD-3-Clause AND MPL-2.0"}} // the code, and Mozilla's list
		b.Components = append(b.Components, c)
	}
	b.Depends = []dependency{{Ref: p.Name}}
	for _, c := range b.Components {
		b.Depends[0].On = append(b.Depends[0].On, c.Ref)
	}
	return json.MarshalIndent(b, "", " ")
}

func goItself(version string) component {
	version = strings.TrimPrefix(version, "go")
	ref := "pkg:golang/std@" + version
	return component{Type: "library", Ref: ref, Name: "std", Version: version, PURL: ref, Licences: []licence{{licences.Of("std")}}}
}

func ofModule(kind string, m *debug.Module) component {
	ref := "pkg:golang/" + m.Path + "@" + m.Version
	c := component{Type: kind, Ref: ref, Name: m.Path, Version: m.Version, PURL: ref}
	if l := licences.Of(m.Path); l != "" {
		c.Licences = []licence{{l}}
	}
	// go.sum's h1 is a SHA-256 over the module's files
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(sum) == sha256.Size {
		c.More = []property{{"go.sum", m.Sum}}
	}
	return c
}

// moduleOf finds a module of this program's own.
func moduleOf(path string) *debug.Module {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m
		}
	}
	return nil
}

// uuid is a name for a bill that is the same as long as the program is (RFC 9562,
// version 8).
func uuid(sum [32]byte) string {
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
