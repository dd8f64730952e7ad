package k8s

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostEnv names the directory of the running cluster; cluster/run.sh sets it.
const hostEnv = "HQMS_K8S"

// node is the address by which pods reach what runs beside the cluster.
const node = "10.98.0.1"

// patience is used up by failing tests alone.
const patience = 90 * time.Second

// kube is the running cluster; nil: there is none.
var kube *cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir := os.Getenv(hostEnv)
	if dir == "" {
		fmt.Fprintln(os.Stderr, "NOT TESTED ON KUBERNETES: there is no cluster; make e2e-k8s starts one")
		return m.Run()
	}
	var err error
	if kube, err = join(dir); err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		return 1
	}
	names, err := answerNames(kube)
	if err != nil {
		fmt.Fprintf(os.Stderr, "name server: %v\n", err)
		return 1
	}
	defer names.Close()
	if err := kube.loadImages(); err != nil {
		fmt.Fprintf(os.Stderr, "images: %v\n", err)
		return 1
	}
	return m.Run()
}

// cluster is the way to the API server and the container runtime.
type cluster struct {
	dir    string
	client *http.Client
}

func join(dir string) (*cluster, error) {
	pki := func(name string) string { return filepath.Join(dir, "pki", name) }
	admin, err := tls.LoadX509KeyPair(pki("admin.crt"), pki("admin.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &cluster{dir: dir, client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{admin}, RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}}, nil
}

// open asks the API server; close the answer's body.
func (c *cluster) open(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1:6443"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return c.client.Do(req)
}

// get reads an object of the API; ok: it is there.
func (c *cluster) get(ctx context.Context, path string, into any) (ok bool, err error) {
	resp, err := c.open(ctx, path)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		if resp.StatusCode == http.StatusNotFound {
			return false, nil
		}
		return false, fmt.Errorf("%s: %s\n%s", path, resp.Status, b)
	}
	return true, json.NewDecoder(resp.Body).Decode(into)
}

// command runs one of the cluster's programs.
func (c *cluster) command(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(c.dir, "admin.kubeconfig"),
		"HELM_CACHE_HOME="+c.dir+"/helm/cache", "HELM_CONFIG_HOME="+c.dir+"/helm/config", "HELM_DATA_HOME="+c.dir+"/helm/data")
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return out.String(), err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// figure prints what was measured.
func figure(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("FIGURE "+format, args...)
}
