package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// certifier makes certificates of 127.0.0.1 that a private authority vouches for.
type certifier struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	root *x509.Certificate
	file string // of the authority
}

func newCertifier(t *testing.T) *certifier {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(10 * 365 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	check(t, err)
	c := &certifier{t: t, key: key, root: root, file: filepath.Join(t.TempDir(), "ca.pem")}
	check(t, os.WriteFile(c.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return c
}

func (c *certifier) lasting(d time.Duration) *tls.Certificate {
	c.t.Helper()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(d), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, c.root, &c.key.PublicKey, c.key)
	check(c.t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.key}
}

// alertsOf gives the open alerts of an event.
func (r *rig) alertsOf(event string) (found []struct{ Key, Event, Severity, Channel string }) {
	r.t.Helper()
	var page struct {
		Items []struct{ Key, Event, Severity, Channel string }
	}
	r.call(http.MethodGet, "/alerts", nil, &page)
	for _, a := range page.Items {
		if a.Event == event {
			found = append(found, a)
		}
	}
	return found
}

func TestTheServersCertificateIsToldOfBeforeItExpires(t *testing.T) {
	t.Parallel()
	c := newCertifier(t)
	var now atomic.Pointer[tls.Certificate]
	now.Store(c.lasting(10 * 24 * time.Hour))
	server := httptest.NewUnstartedServer(http.NotFoundHandler()) // it need not dock anything
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*now.Load()}}, nil
	}}
	server.StartTLS()
	defer server.Close()
	messages := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		messages <- string(b)
	}))
	defer receiver.Close()
	settings := []string{"FLU_SERVER_URL=" + server.URL + "/", "FLU_CA_FILE=" + c.file, "HQMS_WATCH_DIR=", "ALERT_GROUP_WAIT=1s"}
	r := newRig(t, newServer(t), append(settings, "ALERT_WEBHOOK_URL="+receiver.URL)...)
	r.start()
	early := newRig(t, r.srv, append(settings, "ALERT_EXPIRY_BEFORE=24h")...) // nine days before it wants to know
	early.start()
	for text := ""; !strings.Contains(text, "certificate_expiry"); {
		select {
		case text = <-messages:
		case <-time.After(process.Patience):
			t.Fatal("nobody was told")
		}
		if !strings.Contains(text, "服务器的证书") || !strings.Contains(text, "平台") {
			t.Errorf("the message does not say whose it is, or what to do: %s", text)
		}
	}
	if open := r.alertsOf("certificate_expiry"); len(open) != 1 || open[0].Severity != "warning" || open[0].Channel != "flu" {
		t.Errorf("open: %+v", open)
	}
	var metrics string
	if r.call(http.MethodGet, "/metrics", nil, &metrics); !strings.Contains(metrics, `hqms_certificate_not_after_timestamp_seconds{variable="FLU_SERVER_URL"}`) {
		t.Error("the metric does not have it")
	}
	now.Store(c.lasting(48 * time.Hour)) // worse
	r.call(http.MethodPost, "/channels/flu/test", nil, nil)
	eventually(t, "it is critical in the last three days", func() bool {
		open := r.alertsOf("certificate_expiry")
		return len(open) == 1 && open[0].Severity == "critical"
	})
	check(t, r.proc.Terminate())
	r.start() // what was seen is not forgotten
	if open := r.alertsOf("certificate_expiry"); len(open) != 1 {
		t.Errorf("after a restart: %+v", open)
	}
	now.Store(c.lasting(365 * 24 * time.Hour))
	r.call(http.MethodPost, "/channels/flu/test", nil, nil)
	eventually(t, "it is over once another is seen", func() bool { return len(r.alertsOf("certificate_expiry")) == 0 })
	if open := early.alertsOf("certificate_expiry"); len(open) != 0 { // it has looked as often as the other
		t.Errorf("told although it was not to be yet: %+v", open)
	}
}
