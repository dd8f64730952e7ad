package image

import (
	"fmt"
	"io"
)

// Image is one image for one platform.
type Image struct {
	Product Product
	Arch    string
	Release Release
	layers  []layer
	config  []byte
	body    []byte // the manifest
}

// Digest is what the image is known by in a registry.
func (i Image) Digest() string { return digest(i.body) }

// Packed is the size of the compressed layers: what is transferred.
func (i Image) Packed() int {
	n := 0
	for _, l := range i.layers {
		n += len(l.packed)
	}
	return n
}

// newImage puts the layers together.
func newImage(p Product, arch string, r Release, layers []layer) Image {
	i := Image{Product: p, Arch: arch, Release: r, layers: layers, config: encode(r.configuration(p, arch, layers))}
	m := manifest{SchemaVersion: 2, MediaType: typeManifest, Annotations: r.labels(p)}
	m.Config = &descriptor{MediaType: typeConfig, Digest: digest(i.config), Size: len(i.config)}
	for _, l := range layers {
		m.Layers = append(m.Layers, descriptor{MediaType: typeLayer, Digest: l.digest, Size: len(l.packed)})
	}
	i.body = encode(m)
	return i
}

// Write writes the image as an archive that docker load takes.
func (i Image) Write(w io.Writer) error {
	tag := i.Product.Name + ":" + i.Release.Version
	s := saved{Config: blob(digest(i.config)), RepoTags: []string{tag}}
	for _, l := range i.layers {
		s.Layers = append(s.Layers, blob(l.digest))
	}
	entries := append(layout(i), entry{name: "manifest.json", mode: 0o644, data: encode([]saved{s})})
	return writeTar(w, entries, i.Release.Created)
}

// WriteIndex writes the images of all platforms as one OCI layout, to be pushed to a
// registry (skopeo copy --all oci-archive:…).
func WriteIndex(w io.Writer, images []Image) error {
	return writeTar(w, layout(images...), images[0].Release.Created)
}

// layout lists an OCI layout.
func layout(images ...Image) []entry {
	index := manifest{SchemaVersion: 2, MediaType: typeIndex}
	seen := map[string]bool{}
	var blobs []entry
	add := func(content []byte) {
		if d := digest(content); !seen[d] {
			seen[d] = true
			blobs = append(blobs, entry{name: blob(d), mode: 0o644, data: content})
		}
	}
	for _, i := range images {
		for _, l := range i.layers {
			add(l.packed)
		}
		add(i.config)
		add(i.body)
		index.Manifests = append(index.Manifests, descriptor{
			MediaType: typeManifest, Digest: digest(i.body), Size: len(i.body), Platform: &platform{i.Arch, "linux"},
			Annotations: map[string]string{
				"org.opencontainers.image.ref.name": i.Release.Version,
				"io.containerd.image.name":          fmt.Sprintf("docker.io/library/%s:%s", i.Product.Name, i.Release.Version),
			},
		})
	}
	if len(images) > 1 { // registries and skopeo want one index of all platforms under the name
		all := manifest{SchemaVersion: 2, MediaType: typeIndex, Annotations: images[0].Release.labels(images[0].Product)}
		for _, d := range index.Manifests {
			d.Annotations = nil
			all.Manifests = append(all.Manifests, d)
		}
		body := encode(all)
		add(body)
		index.Manifests = []descriptor{{MediaType: typeIndex, Digest: digest(body), Size: len(body), Annotations: index.Manifests[0].Annotations}}
	}
	return append([]entry{
		{name: "oci-layout", mode: 0o644, data: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{name: "index.json", mode: 0o644, data: encode(index)},
		{name: "blobs/", mode: 0o755},
		{name: "blobs/sha256/", mode: 0o755},
	}, blobs...)
}

func blob(digest string) string { return "blobs/sha256/" + digest[len("sha256:"):] }
