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

// loadImages gives the node the product's images, and one for the first process of
// every pod.
func (c *cluster) loadImages() error {
	pause := filepath.Join(c.dir, "images", "pause.tar")
	if err := writeImage(pause, "hqms.test/pause:1", filepath.Join(c.dir, "pause"), "65535:65535"); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(c.dir, "images", "*.tar"))
	if err != nil || len(archives) < 3 {
		return fmt.Errorf("image archives: %v, %w", archives, err)
	}
	for _, file := range archives {
		_, err := c.command(context.Background(), "", "ctr", "-a", filepath.Join(c.dir, "cd", "containerd.sock"), "-n", "k8s.io", "images", "import", file)
		if err != nil {
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
