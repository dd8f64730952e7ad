package journaltest

import (
	"context"
	"fmt"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Finished brings one upload, of flu_0.csv, through the whole of its life at one
// moment: accepted, its original in the archive. Journals of any number of rows are
// made from it.
func Finished(ctx context.Context, j *journal.Journal, now time.Time) (upload.Upload, error) {
	seen := upload.Identity{Inode: 1, Size: 4096, ModTime: now.UnixNano(), ChangeTime: now.UnixNano()}
	if _, _, err := j.Spot(ctx, upload.Sighting{Channel: upload.Flu, Kind: "flu", Filename: "flu_0.csv", Seen: seen, At: now}); err != nil {
		return upload.Upload{}, err
	}
	u, _, err := j.Claim(ctx, journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "test", Lease: time.Minute, Now: now})
	if err != nil {
		return u, err
	}
	digest := fmt.Sprintf("sha-256:%064d", 0)
	x := upload.Examination{Digest: digest, Size: seen.Size, Rows: 20, Charset: "gb18030", Standard: "flu-2.6", PackedSize: 512, PackedDigest: digest}
	ticket := upload.Ticket{Token: "a-token-of-thirty-two-characters", IssuedAt: now, Fate: upload.Answered} //nolint:gosec // opens nothing
	for _, o := range []upload.Outcome{
		upload.Settled(seen), upload.Validated(x), upload.Packed(), upload.Sent(ticket, ""),
		upload.Decided(upload.Accepted, "", &upload.Receipt{}), upload.Retired(upload.InArchive, "archive/flu/flu_0.csv", ""),
	} {
		if u, err = j.Record(ctx, u, o, now, true); err != nil {
			return u, err
		}
	}
	return u, nil
}
