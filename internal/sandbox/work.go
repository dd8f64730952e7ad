package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// recordRetry is the pause after a verdict that could not be recorded, for
// example because the disk is full.
const recordRetry = time.Second

// work takes one channel's deliveries one after the other until ctx ends.
func (s *Server) work(ctx context.Context, q *queue) {
	for {
		d, ok := q.next(ctx)
		if !ok {
			return
		}
		s.process(ctx, d)
	}
}

// process takes one delivery through its steps. When ctx ends in between, the
// delivery stays undecided and begins again at the next start.
func (s *Server) process(ctx context.Context, d *delivery) {
	log := s.opts.Logger.With("id", d.ID, "channel", d.Channel)
	s.ledger.advance(d, Unpacking)
	if !pauseFor(ctx, s.opts.Step) {
		return
	}
	end, err := s.examine(ctx, d.token, s.ledger.advance(d, Checking))
	if err != nil || !pauseFor(ctx, s.opts.Step) {
		if ctx.Err() == nil {
			log.Error("cannot examine the package", "error", err)
		}
		return
	}
	s.ledger.advance(d, Saving)
	if !pauseFor(ctx, s.opts.Step) {
		return
	}
	end, err = s.ledger.decide(d, end)
	for err != nil && !errors.Is(err, errForgotten) {
		log.Error("cannot record the verdict, will try again", "error", err)
		if !pauseFor(ctx, recordRetry) {
			return
		}
		end, err = s.ledger.decide(d, end)
	}
	if err != nil {
		return
	}
	if !s.opts.KeepFiles {
		s.spool.remove(d.token)
	}
	log.Info("decided", "status", int(end.Status), "verdict", end.Verdict, "rows", end.Rows)
}

// examine unpacks and checks the package of a delivery and says how it ends. An error
// is one of the sandbox itself.
func (s *Server) examine(ctx context.Context, token string, end Arrival) (Arrival, error) {
	f, err := s.spool.open(token)
	if errors.Is(err, os.ErrNotExist) {
		return failed(end, errors.New("数据包丢失 (the sandbox lost the package)")), nil
	}
	if err != nil {
		return end, err
	}
	defer f.Close() //nolint:errcheck // read only
	name, csv, err := openPackage(f, end.Bytes, s.opts.MaxUnpacked)
	if name != "" {
		end.Filename = name
	}
	if err != nil {
		return failed(end, err), nil
	}
	defer csv.Close() //nolint:errcheck // read only
	kind, ok := s.examiner.Kind(end.Channel, name)
	if !ok {
		return failed(end, errors.New("文件名不符合本通道的接口标准 (no kind of file of this channel has such a name)")), nil
	}
	end.Kind = kind
	count := &countingReader{r: csv, stopped: ctx.Err}
	sum := sha256.New()
	seen, err := s.examiner.Examine(end.Channel, kind, io.TeeReader(count, sum))
	if err == nil {
		err = copyAll(sum, count) // whatever the examiner left unread
	}
	if ctx.Err() != nil {
		return end, ctx.Err()
	}
	if err != nil {
		return failed(end, bodyFault(err)), nil
	}
	end.CSVBytes, end.Digest = count.n, "sha-256:"+hex.EncodeToString(sum.Sum(nil))
	return s.judge(end, seen), nil
}

// bodyFault picks the words for the sender out of a fault of unpacking, so that
// no particulars of the library reach a page.
func bodyFault(err error) error {
	if errors.Is(err, errTooLarge) {
		return errTooLarge
	}
	return errDamaged
}

// countingReader counts, and stops when its context ends.
type countingReader struct {
	r       io.Reader
	n       int64
	stopped func() error
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.stopped(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func failed(a Arrival, why error) Arrival {
	a.Status, a.Verdict, a.Message = Failed, upload.Rejected, why.Error()
	return a
}

// judge makes the verdict of a checked CSV: the rules by file name first, then
// what the examination found.
func (s *Server) judge(a Arrival, seen Examined) Arrival {
	a.Rows, a.Charset, a.Standard, a.Tally = seen.Rows, seen.Charset, seen.Standard, seen.Tally
	a.Findings = slices.Clone(seen.Findings[:min(len(seen.Findings), keptFindings)])
	bad, warned := min(seen.RowsFailed, seen.Rows), seen.RowsWarned
	switch {
	case matchesAny(s.opts.Reject, a.Filename):
		return failed(a, errors.New("按沙箱规则拒绝 (rejected by the sandbox's rule -reject)"))
	case seen.Tally.Fatal > 0:
		return failed(a, fmt.Errorf("文件不符合接口标准：%s", summary(a.Findings)))
	case seen.Rows == 0:
		return failed(a, errors.New("文件没有数据行 (the file has no data rows)"))
	case matchesAny(s.opts.Partial, a.Filename):
		bad = max(bad, (seen.Rows+1)/2)
		a.Message = "按沙箱规则部分入库 (stored in part by the sandbox's rule -partial)"
	case bad > 0:
		a.Message = summary(a.Findings)
	}
	a.Grades = grade(seen.Rows, bad, warned)
	a.Status, a.Verdict = Done, upload.Accepted
	switch {
	case a.Grades.Stocked == 0:
		a.Verdict = upload.Rejected
	case a.Grades.Stocked < a.Grades.Total:
		a.Verdict = upload.PartiallyAccepted
	}
	return a
}

// grade sorts the records: in error → below the storing standard, with
// warnings → the technical-channel standard, without a finding → the interface
// standard. The package's grade is that of its worst record.
func grade(rows, bad, warned int64) *upload.Grades {
	warned = min(warned, rows-bad)
	g := &upload.Grades{Below: bad, Technical: warned, Interface: rows - bad - warned, Stocked: rows - bad, Total: rows}
	switch {
	case g.Below > 0:
		g.Grade = 0
	case g.Technical > 0:
		g.Grade = 2
	default:
		g.Grade = 3
	}
	return g
}
