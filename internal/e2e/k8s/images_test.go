package k8s

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// tag is that of the images under test.
const tag = "e2e"

// loadImages makes an image of each built program and gives it to the node.
func (c *cluster) loadImages(bin string) error {
	for _, i := range []struct{ name, program, user string }{
		{"hqms.test/pause:1", filepath.Join(c.dir, "pause"), "65535:65535"},
		{"docker.io/library/hqms-sidecar:" + tag, filepath.Join(bin, "hqms-sidecar"), "65532:65532"},
		{"docker.io/library/hqms-sandbox:" + tag, filepath.Join(bin, "hqms-sandbox"), "65532:65532"},
	} {
		file := filepath.Join(c.dir, "image.tar")
		if err := writeImage(file, i.name, i.program, i.user); err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
		if _, err := c.command(context.Background(), "", "ctr", "-a", filepath.Join(c.dir, "cd", "containerd.sock"), "-n", "k8s.io", "images", "import", file); err != nil {
			return err
		}
	}
	return nil
}

// writeImage writes an image with one static program in it, as docker save does.
func writeImage(file, name, program, user string) error {
	code, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	base := "/" + filepath.Base(program)
	layer, err := pack(map[string][]byte{base[1:]: code}, 0o755)
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"User": user, "Entrypoint": []string{base}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	image, err := pack(map[string][]byte{"manifest.json": manifest, "config.json": config, "layer.tar": layer}, 0o644)
	if err != nil {
		return err
	}
	return os.WriteFile(file, image, 0o600)
}

func pack(files map[string][]byte, mode int64) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content)), ModTime: time.Unix(0, 0)}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
