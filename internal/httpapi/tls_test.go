package httpapi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// sign gives certificate and key in PEM.
func (a authority) sign(t *testing.T, name string) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// secured is a server with TLS, its files, and a clock that can be moved on.
type secured struct {
	running
	ca    authority
	files TLSFiles
	world *world
	skip  atomic.Int64
}

func newSecured(t *testing.T, clients bool) *secured {
	t.Helper()
	dir := t.TempDir()
	s := &secured{ca: newAuthority(t), files: TLSFiles{Cert: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key")}, world: newWorld()}
	if clients {
		s.files.ClientCA = filepath.Join(dir, "ca")
		s.write(t, s.files.ClientCA, s.ca.pem)
	}
	s.renew(t, "first")
	srv := s.world.server(t, func(o *Options) {
		o.TLS, o.Now = &s.files, func() time.Time { return start.Add(time.Duration(s.skip.Load())) }
	})
	s.running = run(t, srv)
	return s
}

func (s *secured) write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *secured) renew(t *testing.T, name string) {
	t.Helper()
	cert, key := s.ca.sign(t, name)
	s.write(t, s.files.Cert, cert)
	s.write(t, s.files.Key, key)
}

// ask gives the status of a call and the name on the server's certificate.
func (s *secured) ask(t *testing.T, path string, client ...tls.Certificate) (status int, server string) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.cert)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: client}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+s.addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+opToken)
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	return res.StatusCode, res.TLS.PeerCertificates[0].Subject.CommonName
}

func TestRenewedTLSFilesAreTakenOverAndBrokenOnesAreNot(t *testing.T) {
	t.Parallel()
	s := newSecured(t, false)
	if status, name := s.ask(t, "/status"); status != 200 || name != "first" {
		t.Fatalf("%d %s", status, name)
	}
	s.renew(t, "second")
	if _, name := s.ask(t, "/status"); name != "first" {
		t.Errorf("files are read more often than they should be: %s", name)
	}
	s.skip.Add(int64(certificatesLook))
	if status, name := s.ask(t, "/status"); status != 200 || name != "second" {
		t.Errorf("renewed: %d %s", status, name)
	}
	s.write(t, s.files.Cert, []byte("half a certif"))
	for range 3 {
		s.skip.Add(int64(certificatesLook))
		if status, name := s.ask(t, "/status"); status != 200 || name != "second" {
			t.Errorf("half-written: %d %s", status, name)
		}
	}
	if n := strings.Count(s.world.log.String(), "tls files cannot be used"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestAClientCertificateIsNeededForAllButTheProbes(t *testing.T) {
	t.Parallel()
	s := newSecured(t, true)
	certPEM, keyPEM := s.ca.sign(t, "client")
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	strangerPEM, strangerKey := newAuthority(t).sign(t, "stranger")
	stranger, err := tls.X509KeyPair(strangerPEM, strangerKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/status": 403, "/metrics": 403, "/uploads": 403} {
		if got, _ := s.ask(t, path); got != want {
			t.Errorf("%s without certificate: %d, want %d", path, got, want)
		}
		if got, _ := s.ask(t, path, pair); got != 200 {
			t.Errorf("%s with certificate: %d", path, got)
		}
		if got, _ := s.ask(t, path, stranger); got == 200 && want != 200 {
			t.Errorf("%s with another authority's certificate: %d", path, got)
		}
	}
}

func TestAServerIsNotMadeWithUnusableTLSFiles(t *testing.T) {
	t.Parallel()
	w := newWorld()
	dir := t.TempDir()
	ca := newAuthority(t)
	cert, key := ca.sign(t, "x")
	for name, b := range map[string][]byte{"crt": cert, "key": key, "none": []byte("x")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, files := range map[string]TLSFiles{
		"no file":         {Cert: dir + "/gone", Key: dir + "/key"},
		"no key":          {Cert: dir + "/crt", Key: dir + "/none"},
		"empty authority": {Cert: dir + "/crt", Key: dir + "/key", ClientCA: dir + "/none"},
	} {
		o := w.server(t, nil).options
		o.TLS = &files
		if _, err := New(o); err == nil {
			t.Errorf("%s: it was made", name)
		}
	}
}
