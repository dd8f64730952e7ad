package image

import (
	"encoding/json"
	"time"
)

// The media types of the OCI image format.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// configuration is an image's configuration, with the health check that Docker
// knows beyond the OCI's.
type configuration struct {
	Created      string    `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       run       `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
	History      []history `json:"history"`
}

type run struct {
	User         string              `json:"User"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Env          []string            `json:"Env"`
	Entrypoint   []string            `json:"Entrypoint"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	WorkingDir   string              `json:"WorkingDir"`
	Labels       map[string]string   `json:"Labels"`
	Healthcheck  *healthcheck        `json:"Healthcheck,omitempty"`
}

// healthcheck is Docker's; StartInterval is for engines from 25 on.
type healthcheck struct {
	Test          []string
	Interval      time.Duration
	Timeout       time.Duration
	StartPeriod   time.Duration
	StartInterval time.Duration `json:",omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// saved is docker save's list of images.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// labels are those of the OCI that registries and scanners read.
func (r Release) labels(p Product) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       p.Name,
		"org.opencontainers.image.description": p.Description,
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      "https://github.com/hqms-sidecar/hqms-sidecar",
		"org.opencontainers.image.version":     r.Version,
		"org.opencontainers.image.revision":    r.Revision,
		"org.opencontainers.image.created":     r.stamp(),
	}
}

func (r Release) stamp() string { return r.Created.UTC().Format(time.RFC3339) }

func (r Release) configuration(p Product, arch string, layers []layer) configuration {
	set := func(names []string) map[string]struct{} {
		all := map[string]struct{}{}
		for _, n := range names {
			all[n] = struct{}{}
		}
		return all
	}
	c := configuration{
		Created: r.stamp(), Architecture: arch, OS: "linux",
		Config: run{
			User: "65532:65532", ExposedPorts: set(p.Ports), Volumes: set(p.Volumes), WorkingDir: "/", Labels: r.labels(p),
			Env: []string{"PATH=/"}, Entrypoint: []string{"/" + p.Name},
			Healthcheck: &healthcheck{
				Test: []string{"CMD", "/" + p.Name, "healthcheck"}, Interval: p.Health, Timeout: 5 * time.Second,
				StartPeriod: 10 * time.Second, StartInterval: time.Second,
			},
		},
		RootFS: rootFS{Type: "layers"},
	}
	for i, l := range layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, l.diffID)
		c.History = append(c.History, history{r.stamp(), []string{"base: authorities, user, licences", "program: " + p.Name}[i]})
	}
	return c
}

// encode is JSON of a type of ours, which always can be.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
