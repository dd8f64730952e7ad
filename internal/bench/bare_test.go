package bench

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/hqms"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// bareLanes is how many files the bare program has in hand: as many as the
	// sidecar's lanes, those that send and those that ask.
	bareLanes = 24
	// bareCommits is how many durable changes it makes for each, as many as the
	// sidecar: packed, ticket, sent, decided, put away.
	bareCommits = 5
)

// bare is a program that does with small files what has to be done and nothing
// else: it reads each, digests and packs it, asks the same server for a ticket, sends
// it and asks for the verdict, keeps one row for each of these steps by commits that
// all lanes share, and moves the original into a directory of its own, synced. It
// finds no file, checks nothing, and would know nothing after a crash.
type bare struct {
	client *hqms.Client
	dir    string
	rows   rows
}

// rows are durable changes that share commits.
type rows struct {
	db   *sql.DB
	lead chan struct{}

	mu     sync.Mutex
	queued []chan error
}

func (r *rows) commit(ctx context.Context) error {
	own := make(chan error, 1)
	r.mu.Lock()
	r.queued = append(r.queued, own)
	r.mu.Unlock()
	select {
	case err := <-own:
		return err
	case r.lead <- struct{}{}:
	}
	r.mu.Lock()
	together := r.queued
	r.queued = nil
	r.mu.Unlock()
	err := r.insert(ctx, len(together))
	<-r.lead
	for _, one := range together {
		one <- err
	}
	return <-own
}

func (r *rows) insert(ctx context.Context, n int) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for range n {
		if _, err := tx.ExecContext(ctx, oneRow); err != nil {
			return err
		}
	}
	return tx.Commit()
}

type demo struct{}

func (demo) Credentials() (account, password, hash string) { return "demo", "demo", "" }

// barely tells how long the bare program takes for n files, and what of it was this
// process's own processor time.
func (b *bench) barely(ctx context.Context, t *testing.T, n int) (took, cpu time.Duration) {
	t.Helper()
	client, err := hqms.New(hqms.Options{Channel: upload.Flu, ServerURL: b.sandbox(ctx, t, "-step", "0s") + "/flu/", Credentials: demo{}, Version: "bare"})
	must(t, err)
	defer client.Close()
	dir := home(t)
	db := rowsIn(ctx, t, filepath.Join(dir, "state"))
	for i := range n {
		must(t, os.WriteFile(filepath.Join(dir, "flu", fileName(i)), b.small(t, uint64(i)), 0o640))
	}
	p := &bare{client: client, dir: dir, rows: rows{db: db, lead: make(chan struct{}, 1)}}
	before, began := spent(t), time.Now()
	var next atomic.Int64
	var lanes sync.WaitGroup
	failed := make([]error, bareLanes)
	for lane := range failed {
		lanes.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed[lane] == nil; i = int(next.Add(1)) - 1 {
				failed[lane] = p.deliver(ctx, fileName(i))
			}
		})
	}
	lanes.Wait()
	took, cpu = time.Since(began), spent(t)-before
	must(t, errors.Join(failed...))
	return took, cpu
}

func (p *bare) deliver(ctx context.Context, name string) error {
	body, err := packBarely(filepath.Join(p.dir, "flu", name), name)
	if err == nil {
		err = p.rows.commit(ctx)
	}
	if err != nil {
		return err
	}
	d := transmit.Delivery{Upload: upload.Upload{Channel: upload.Flu, Filename: name}}
	ticket, err := p.client.Admit(ctx, d)
	if err == nil {
		err = p.rows.commit(ctx)
	}
	if err != nil {
		return err
	}
	sending, err := p.client.Send(ctx, d, ticket, transmit.Body{ReadSeeker: bytes.NewReader(body), Size: int64(len(body))}, nil)
	if err == nil && sending.Cause != nil {
		err = sending.Cause
	}
	if err == nil {
		err = p.rows.commit(ctx)
	}
	if err != nil {
		return err
	}
	if err := p.await(ctx, sending.Ticket); err != nil {
		return err
	}
	return p.putAway(ctx, name)
}

// await asks until the verdict is there, and keeps it.
func (p *bare) await(ctx context.Context, t upload.Ticket) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := p.client.Result(ctx, t)
		switch {
		case err != nil:
			return err
		case answer.Standing == upload.StandingDone && answer.Verdict != upload.Accepted:
			return fmt.Errorf("the verdict is %s", answer.Verdict)
		case answer.Standing == upload.StandingDone:
			return p.rows.commit(ctx)
		}
		<-tick.C
	}
}

func (p *bare) putAway(ctx context.Context, name string) error {
	into := filepath.Join(p.dir, "state", "archive-"+name)
	if err := os.Mkdir(into, 0o750); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(p.dir, "flu", name), filepath.Join(into, name)); err != nil {
		return err
	}
	for _, path := range []string{into, filepath.Dir(into), filepath.Join(p.dir, "flu")} {
		dir, err := os.Open(path)
		if err != nil {
			return err
		}
		err = errors.Join(dir.Sync(), dir.Close())
		if err != nil {
			return err
		}
	}
	return p.rows.commit(ctx)
}

// packBarely reads a file, digests it and what becomes of it, and packs it.
func packBarely(path, name string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	entry, err := archive.Create(name)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := io.MultiWriter(entry, sum).Write(text); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	_, _ = sum.Write(out.Bytes())
	return out.Bytes(), nil
}
