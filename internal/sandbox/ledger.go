package sandbox

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Counts is what the sandbox counts beside the deliveries.
type Counts struct {
	TokensIssued  int            `json:"tokens_issued"`
	BrokenUploads int            `json:"broken_uploads"` // bodies that did not come whole
	WrongLogins   map[string]int `json:"wrong_logins"`   // by account; unknown accounts together
}

// unknownAccount stands for every account that does not exist, so that nobody
// can fill the memory with names.
const unknownAccount = "(unknown)"

type token struct {
	tokenRecord
	receiving bool
	delivery  *delivery // nil before the upload
}

// ledger is what the server knows: tokens, deliveries, contents. Every change
// is in the store before it is in the maps, and so before it can be told.
type ledger struct {
	opts Options

	mu         sync.Mutex
	store      *store // nil: what is known goes with the process
	tokens     map[string]*token
	deliveries []*delivery // in the order of arrival
	contents   map[contentKey]*Content
	counts     Counts
	lastID     int64
	changed    chan struct{} // closed and replaced at every change
}

// openLedger reads the state of opts.Dir and writes its journal afresh. Without
// a directory there is none: nobody could read it later.
func openLedger(opts Options) (*ledger, error) {
	l := &ledger{opts: opts, changed: make(chan struct{})}
	l.forget()
	if opts.Dir == "" {
		return l, nil
	}
	if err := readJournal(opts.Dir, l.apply); err != nil {
		return nil, err
	}
	var err error
	if l.store, err = newStore(opts.Dir, l.records()); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *ledger) forget() {
	l.tokens, l.deliveries, l.contents = map[string]*token{}, nil, map[contentKey]*Content{}
	l.counts = Counts{WrongLogins: map[string]int{}}
}

// apply repeats one record of the journal in memory.
func (l *ledger) apply(rec record) error {
	switch {
	case rec.Op == opReset:
		l.forget()
	case rec.Op == opToken && rec.Token != nil:
		l.tokens[rec.Token.Token] = &token{tokenRecord: *rec.Token}
		l.counts.TokensIssued++
	case rec.Op == opCounts && rec.Counts != nil:
		l.counts = *rec.Counts
		if l.counts.WrongLogins == nil {
			l.counts.WrongLogins = map[string]int{}
		}
	case rec.Op == opArrival && rec.Arrival != nil && (rec.Arrival.Channel == upload.Flu || rec.Arrival.Channel == upload.HQMS):
		l.admit(rec.Full, *rec.Arrival)
	case rec.Op == opVerdict && rec.Arrival != nil:
		t := l.tokens[rec.Full]
		if t == nil || t.delivery == nil {
			return fmt.Errorf("verdict of an unknown delivery")
		}
		l.settle(t.delivery, *rec.Arrival)
	default:
		return fmt.Errorf("unknown operation")
	}
	return nil
}

// records is the present state as a journal.
func (l *ledger) records() []record {
	var all []record
	for _, t := range l.tokens {
		if t.delivery != nil || !l.expired(t) {
			all = append(all, record{Op: opToken, Token: &t.tokenRecord})
		}
	}
	all = append(all, record{Op: opCounts, Counts: &l.counts})
	for _, d := range l.deliveries {
		all = append(all, record{Op: opArrival, Full: d.token, Arrival: &d.Arrival})
	}
	return all
}

// admit adds a delivery, with or without its verdict, and forgets the oldest
// decided one when there are too many.
func (l *ledger) admit(full string, a Arrival) *delivery {
	d := &delivery{Arrival: a, token: full}
	if !a.Status.Final() {
		d.Status, d.StartedAt = Queued, time.Time{}
	}
	t := l.tokens[full]
	if t == nil {
		t = &token{tokenRecord: tokenRecord{Token: full, Account: a.Account, IssuedAt: a.ReceivedAt}}
		l.tokens[full] = t
	}
	t.delivery, t.receiving = d, false
	l.deliveries = append(l.deliveries, d)
	l.lastID = max(l.lastID, a.ID)
	if a.Status.Final() {
		l.count(d, 1)
	}
	if len(l.deliveries) > l.opts.MaxArrivals && l.deliveries[0].Status.Final() {
		oldest := l.deliveries[0]
		l.deliveries = l.deliveries[1:]
		l.count(oldest, -1)
		delete(l.tokens, oldest.token)
	}
	return d
}

// settle gives d the particulars of its end.
func (l *ledger) settle(d *delivery, a Arrival) {
	a.Asked = d.Asked
	d.Arrival = a
	l.count(d, 1)
}

// count adds a decided delivery to its content's counters, or takes it away.
func (l *ledger) count(d *delivery, by int) {
	if d.Digest == "" {
		return
	}
	c := l.contents[d.key()]
	if c == nil {
		c = &Content{Account: d.Account, Channel: d.Channel, Digest: d.Digest}
		l.contents[d.key()] = c
	}
	c.Received += by
	if d.stored() {
		c.Accepted += by
	}
	if c.Received <= 0 {
		delete(l.contents, d.key())
	}
}

// notify wakes whoever waits for a change. The caller holds mu.
func (l *ledger) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// wake wakes whoever waits, for changes outside the ledger.
func (l *ledger) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notify()
}

func (l *ledger) expired(t *token) bool {
	now := l.opts.Now()
	if t.delivery == nil {
		return now.Sub(t.IssuedAt) > l.opts.TokenTTL
	}
	return l.opts.ResultTTL > 0 && t.delivery.Status.Final() && now.Sub(t.delivery.DecidedAt) > l.opts.ResultTTL
}

// login checks the credentials and counts wrong ones.
func (l *ledger) login(account, password string) (bool, error) {
	want, known := l.opts.Accounts[account]
	if subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1 && known {
		return true, nil
	}
	if !known {
		account = unknownAccount
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.counts
	next.WrongLogins = maps.Clone(next.WrongLogins)
	next.WrongLogins[account]++
	if err := l.store.append(record{Op: opCounts, Counts: &next}); err != nil {
		return false, err
	}
	l.counts = next
	l.notify()
	return false, nil
}

// issue makes a token, durable before it is told. base is the channel that the
// base path named, or empty.
func (l *ledger) issue(account string, base upload.Channel) (string, error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	rec := tokenRecord{Token: hex.EncodeToString(b[:]), Account: account, Base: string(base), IssuedAt: l.opts.Now().UTC()}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.store.append(record{Op: opToken, Token: &rec}); err != nil {
		return "", err
	}
	l.prune()
	l.tokens[rec.Token] = &token{tokenRecord: rec}
	l.counts.TokensIssued++
	l.notify()
	return rec.Token, nil
}

// prune forgets tokens that were never used and cannot be any more, now and
// then, so that asking for tokens does not fill the memory.
func (l *ledger) prune() {
	if l.counts.TokensIssued%1024 != 1023 {
		return
	}
	for name, t := range l.tokens {
		if t.delivery == nil && !t.receiving && l.expired(t) {
			delete(l.tokens, name)
		}
	}
}

// find looks a token up for a request whose base path named the channel base.
func (l *ledger) find(name string, base upload.Channel) (*token, *refusal) {
	t := l.tokens[name]
	switch {
	case t == nil || t.Base != string(base):
		return nil, tokenUnknown
	case l.expired(t):
		return nil, tokenExpired
	default:
		return t, nil
	}
}

// begin reserves a token for the upload that is coming in.
func (l *ledger) begin(name string, base upload.Channel) (account string, no *refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, no := l.find(name, base)
	if no != nil {
		return "", no
	}
	if t.delivery != nil || t.receiving {
		return "", tokenUsed
	}
	t.receiving = true
	return t.Account, nil
}

// abandon gives a reserved token back after an upload that did not come whole.
func (l *ledger) abandon(name string, broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tokens[name]; t != nil {
		t.receiving = false
	}
	if broken {
		l.counts.BrokenUploads++
		l.notify()
	}
}

// arrive records a package that is whole and on disk. queue is called under
// the lock, so that the queue's order is the order of arrival.
func (l *ledger) arrive(name string, a Arrival, queue func(*delivery)) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tokens[name] == nil { // reset in the meantime
		return 0, errForgotten
	}
	a.ID, a.Token, a.ReceivedAt = l.lastID+1, shorten(name), l.opts.Now().UTC()
	if err := l.store.append(record{Op: opArrival, Full: name, Arrival: &a}); err != nil {
		return 0, err
	}
	queue(l.admit(name, a))
	l.notify()
	return a.ID, nil
}

// result is the delivery of a token, as it stands.
func (l *ledger) result(name string, base upload.Channel) (Arrival, *refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, no := l.find(name, base)
	if no != nil {
		return Arrival{}, no
	}
	if t.delivery == nil {
		return Arrival{}, nothingArrived
	}
	t.delivery.Asked++
	return t.delivery.Arrival, nil
}

// advance shows a step of the work. It is not recorded: after a restart the
// work begins again.
func (l *ledger) advance(d *delivery, s Status) Arrival {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.Status = s
	if s == Unpacking {
		d.StartedAt = l.opts.Now().UTC()
	}
	l.notify()
	return d.Arrival
}

// decide ends a delivery: a content that was stored before is a duplicate,
// anything else ends as end says; the end as recorded is returned. Nothing is
// told before it is recorded.
func (l *ledger) decide(d *delivery, end Arrival) (Arrival, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tokens[d.token]; t == nil || t.delivery != d {
		return end, errForgotten
	}
	end.DecidedAt = l.opts.Now().UTC()
	if c := l.contents[(&delivery{Arrival: end}).key()]; c != nil && c.Accepted > 0 && end.Digest != "" && !l.opts.AcceptDuplicates {
		end.Status, end.Verdict, end.Grades = Again, upload.Duplicate, nil
		end.Message = "重复上传：服务器已有相同内容 (duplicate: the server has this content)"
	}
	if err := l.store.append(record{Op: opVerdict, Full: d.token, Arrival: &end}); err != nil {
		return end, err
	}
	l.settle(d, end)
	l.notify()
	return end, nil
}

// filename is the file that came under a token; empty if none did.
func (l *ledger) filename(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tokens[name]; t != nil && t.delivery != nil {
		return t.delivery.Filename
	}
	return ""
}

// undecided lists the deliveries that wait for their verdict, and every token
// that belongs to a delivery.
func (l *ledger) undecided() (waiting []*delivery, known map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known = map[string]bool{}
	for _, d := range l.deliveries {
		known[d.token] = !d.Status.Final()
		if !d.Status.Final() {
			waiting = append(waiting, d)
		}
	}
	return waiting, known
}

// reset forgets everything; clear empties the queues under the same lock.
func (l *ledger) reset(clear func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.store.append(record{Op: opReset}); err != nil {
		return err
	}
	l.forget()
	clear()
	l.notify()
	return nil
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.close()
}
