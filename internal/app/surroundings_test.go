package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheFirstCertificateToRunOutCounts(t *testing.T) {
	t.Parallel()
	late, early := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "chain.pem")
	if err := os.WriteFile(file, append(certificateUntil(t, late), certificateUntil(t, early)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := runsOut(file); !ok || !got.Equal(early) {
		t.Errorf("runs out %v (%v), want %v", got, ok, early)
	}
	if err := os.WriteFile(file, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, unusable := range []string{"", file, file + ".gone"} {
		if _, ok := runsOut(unusable); ok {
			t.Errorf("%q: a time out of nothing", unusable)
		}
	}
}

func certificateUntil(t *testing.T, end time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	model := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.AddDate(-1, 0, 0), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, model, model, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
