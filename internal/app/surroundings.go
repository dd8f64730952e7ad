package app

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/telemetry"
)

// surroundings is what the metrics tell of disk and certificates. The files are
// read at each scrape: they are few and small, and may be replaced at any time.
func (a *App) surroundings() telemetry.Surroundings {
	seen := telemetry.Surroundings{DiskFree: -1}
	if free, err := a.state.FreeBytes(); err == nil {
		seen.DiskFree = free
	}
	for _, f := range certificateFiles(a.cfg) {
		if until, ok := runsOut(f.path); ok {
			seen.Certificates = append(seen.Certificates, telemetry.Certificate{Variable: f.variable, NotAfter: until})
		}
	}
	for _, l := range a.ordered() {
		if until, ok := l.client.ServerCertificate(); ok {
			seen.Certificates = append(seen.Certificates, telemetry.Certificate{Variable: strings.ToUpper(string(l.Name)) + "_SERVER_URL", NotAfter: until})
		}
	}
	return seen
}

type certificateFile struct{ variable, path string }

// certificateFiles lists the certificate files that are in use.
func certificateFiles(cfg *config.Config) []certificateFile {
	all := []certificateFile{{"TLS_CERT_FILE", cfg.TLSCertFile}, {"TLS_CLIENT_CA_FILE", cfg.TLSClientCAFile}}
	if cfg.HQMS.On() {
		all = append(all, certificateFile{"HQMS_CA_FILE", cfg.HQMS.CAFile}, certificateFile{"HQMS_CLIENT_CERT_FILE", cfg.HQMS.ClientCertFile})
	}
	if cfg.Flu.On() {
		all = append(all, certificateFile{"FLU_CA_FILE", cfg.Flu.CAFile}, certificateFile{"FLU_CLIENT_CERT_FILE", cfg.Flu.ClientCertFile})
	}
	return all
}

// runsOut is when the first certificate of a PEM file to do so runs out; not ok
// if there is none that can be read.
func runsOut(path string) (first time.Time, ok bool) {
	if path == "" {
		return first, false
	}
	rest, err := os.ReadFile(path)
	if err != nil {
		return first, false
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return first, ok
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil && (!ok || cert.NotAfter.Before(first)) {
			first, ok = cert.NotAfter, true
		}
	}
}
