package image

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/licences"
)

// carried is what a hospital without internet needs besides the images, by its path
// in the source.
func carried() []string {
	return []string{"docker-compose.yml", ".env.example", "deploy", "docs", "README.md", "README.zh-CN.md", "CHANGELOG.md", "LICENSE"}
}

// WriteBundle writes everything that an installation needs as one archive: images,
// bills of materials, compose files, chart, documents, and the sums of them all. The
// compose file and the example of settings name this release and build nothing.
func (s Source) WriteBundle(w io.Writer, images []Image) error {
	r := images[0].Release
	files, err := s.carriedFiles(r)
	if err != nil {
		return err
	}
	files = append(files, entry{name: "THIRD_PARTY_LICENSES.txt", mode: 0o644, data: []byte(licences.Texts)})
	for _, i := range images {
		var archive bytes.Buffer
		if err := i.Write(&archive); err != nil {
			return err
		}
		name := fmt.Sprintf("%s-%s-linux-%s", i.Product.Name, r.Version, i.Arch)
		read, err := readArchive(bytes.NewReader(archive.Bytes()))
		if err != nil {
			return err
		}
		files = append(files, entry{name: "images/" + name + ".tar", mode: 0o644, data: archive.Bytes()},
			entry{name: "sbom/" + name + ".cdx.json", mode: 0o644, data: read.files[docs+"sbom.cdx.json"].data})
	}
	slices.SortFunc(files, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	files = append(files, sums(files))
	for i := range files {
		files[i].name = BundleName(r) + "/" + files[i].name
	}
	return writeTar(w, files, r.Created)
}

// BundleName is the folder that everything in a bundle is in.
func BundleName(r Release) string { return "hqms-sidecar-" + r.Version }

// sums is the list that sha256sum -c reads.
func sums(files []entry) entry {
	var text strings.Builder
	for _, f := range files {
		fmt.Fprintf(&text, "%s  %s\n", strings.TrimPrefix(digest(f.data), "sha256:"), f.name)
	}
	return entry{name: "SHA256SUMS", mode: 0o644, data: []byte(text.String())}
}

func (s Source) carriedFiles(r Release) ([]entry, error) {
	var files []entry
	for _, top := range carried() {
		err := filepath.WalkDir(filepath.Join(s.Root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path) //nolint:gosec // of the source
			if err != nil {
				return err
			}
			name, err := filepath.Rel(s.Root, path)
			if err != nil {
				return err
			}
			name = filepath.ToSlash(name)
			files = append(files, entry{name: name, mode: 0o644, data: ofRelease(name, content, r)})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("bundle %s: %w", top, err)
		}
	}
	return files, nil
}

var builds = regexp.MustCompile(`(?m)^ +build: .*\n`)

// ofRelease is a file as the bundle has it.
func ofRelease(name string, content []byte, r Release) []byte {
	switch name {
	case "docker-compose.yml":
		content = bytes.ReplaceAll(content, []byte("${SIDECAR_VERSION:-dev}"), []byte("${SIDECAR_VERSION:-"+r.Version+"}"))
		return builds.ReplaceAll(content, nil)
	case ".env.example":
		return bytes.ReplaceAll(content, []byte("SIDECAR_VERSION=dev\n"), []byte("SIDECAR_VERSION="+r.Version+"\n"))
	default:
		return content
	}
}
