package image

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// authorities are the certificate authorities that Mozilla trusts, from a module
// whose version and checksum go.mod and go.sum hold. Those that it trusts only in
// part, which a file cannot say, are left out.
func authorities() ([]byte, error) {
	out := bytes.NewBufferString("# Mozilla's authorities for servers (https://wiki.mozilla.org/CA, MPL-2.0), from golang.org/x/crypto/x509roots/fallback\n")
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fmt.Errorf("parse authority: %w", err)
		}
		fmt.Fprintf(out, "# %s\n", cert.Subject)
		if err := pem.Encode(out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}
