package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
)

// healthcheck asks the running program's /healthz, for containers that have no
// shell. It reads LISTEN_ADDR and TLS_CERT_FILE as the program did.
func healthcheck(ctx context.Context, c Call, _ []string) int {
	cfg, _ := config.Load(c.Environ, config.ChannelsOptional()) // what is wrong elsewhere is not asked here
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	body, err := askHealth(ctx, cfg)
	if err != nil {
		fmt.Fprintf(c.Stderr, "不正常 / not healthy: %v\n%s", err, body)
		return exitFailed
	}
	fmt.Fprintln(c.Stdout, "正常 / healthy")
	return exitOK
}

func askHealth(ctx context.Context, cfg *config.Config) (string, error) {
	resp, err := askSelf(ctx, cfg, "/healthz", "")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode != http.StatusOK {
		return string(body), fmt.Errorf("status %d", resp.StatusCode)
	}
	return string(body), nil
}

// askSelf asks the program that runs on this machine.
func askSelf(ctx context.Context, cfg *config.Config, path, token string) (*http.Response, error) {
	host, port, err := net.SplitHostPort(cfg.ListenAddr)
	if err != nil {
		return nil, fmt.Errorf("LISTEN_ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
		if strings.HasPrefix(cfg.ListenAddr, "[::]") {
			host = "::1"
		}
	}
	scheme := "http"
	transport := &http.Transport{DisableKeepAlives: true}
	if cfg.TLSCertFile != "" {
		scheme = "https"
		transport.TLSClientConfig = onlyCertificate(cfg.TLSCertFile)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return (&http.Client{Transport: transport}).Do(req)
}

// onlyCertificate trusts exactly the certificate in the file: the program asks
// itself, under whatever name it listens.
func onlyCertificate(file string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection compares the certificate itself, which is stricter
		VerifyConnection: func(state tls.ConnectionState) error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			block, _ := pem.Decode(text)
			if block == nil || len(state.PeerCertificates) == 0 || !bytes.Equal(block.Bytes, state.PeerCertificates[0].Raw) {
				return errors.New("another certificate than TLS_CERT_FILE's answers there")
			}
			return nil
		},
	}
}
