package e2e

import (
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

// packedRow is what the journal says of the bytes that were sent.
type packedRow struct {
	PackedSize   int64  `json:"packed_size"`
	PackedDigest string `json:"packed_digest"`
	Progress     *struct {
		Sent  int64 `json:"sent_bytes"`
		Total int64 `json:"total_bytes"`
	}
}

func (r *rig) packedAs(id string) packedRow {
	r.t.Helper()
	var p packedRow
	if code := r.call("GET", "/uploads/"+id, nil, &p); code != 200 {
		r.t.Fatalf("upload %s: status %d", id, code)
	}
	return p
}

const madeSmaller = `"msg":"packed copy is made smaller while it is sent"`

// slowRig is a sidecar with a slow link: a file of 2 MB takes some seconds.
func slowRig(t *testing.T, srv *server, limit string) *rig {
	t.Helper()
	return newRig(t, srv, "BANDWIDTH_LIMIT="+limit, "HQMS_WATCH_DIR=", "HQMS_ACCOUNT=", "HQMS_PASSWORD=", "HQMS_SERVER_URL=")
}

// largeFile is large enough for it to matter how it is packed.
func largeFile(t *testing.T) []byte { t.Helper(); return fileOf(t, "flu", 6_000, 0) }

func TestOnASlowLinkAPackedCopyIsMadeSmallerWhileItIsSentAndTheJournalSaysWhatWas(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := slowRig(t, srv, "500kbit")
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", largeFile(t))
	u := r.endsWith("flu_1.csv", "accepted")
	if !strings.Contains(r.proc.Out.String(), madeSmaller) {
		t.Fatal("it was sent as it was")
	}
	srv.mustHave(digest, 1, 1)
	arrived := arrivals(srv, digest)
	if p := r.packedAs(u.ID); len(arrived) != 1 || p.PackedSize != arrived[0].Bytes || p.PackedDigest != arrived[0].ZipDigest {
		t.Errorf("the journal says %+v, there arrived %+v", p, arrived)
	}
}

func arrivals(srv *server, digest string) (all []sandbox.Arrival) {
	for _, a := range srv.report().Items {
		if a.Digest == digest {
			all = append(all, a)
		}
	}
	return all
}

func TestAKillWhileACopyIsMadeSmallerLosesNothingAndSendsNothingTwice(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := slowRig(t, srv, "300kbit")
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", largeFile(t))
	u := r.until("flu_1.csv", "is being sent", func(u row) bool {
		p := r.packedAs(u.ID)
		return p.Progress != nil && p.Progress.Sent > p.Progress.Total/4
	})
	if p := r.packedAs(u.ID); p.PackedDigest != "" || p.PackedSize != p.Progress.Total {
		t.Errorf("while it is made the journal has the digest %q, and %d bytes of %d", p.PackedDigest, p.PackedSize, p.Progress.Total)
	}
	r.proc.Kill()
	srv.mustHave(digest, 0, 0)
	r.env["BANDWIDTH_LIMIT"] = "8Mbit"
	r.start()
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
	if all := r.uploads("flu_1.csv"); len(all) != 1 {
		t.Errorf("there are %d uploads", len(all))
	}
	arrived := arrivals(srv, digest)
	if p := r.packedAs(u.ID); len(arrived) != 1 || p.PackedDigest != arrived[0].ZipDigest {
		t.Errorf("the journal says %+v, there arrived %+v", p, arrived)
	}
}
