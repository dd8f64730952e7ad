package sandbox

import (
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Channel is an account at the server, with its queue; see upload.Channel.
type Channel = upload.Channel

// Status is where a delivery is, in the protocol's own numbers.
type Status int

// The statuses of the protocol.
const (
	Queued    Status = 0
	Unpacking Status = 1
	Checking  Status = 2
	Saving    Status = 3
	Done      Status = 4
	Failed    Status = 5
	Again     Status = 6 // duplicate upload
)

// Final reports whether the status will not change any more.
func (s Status) Final() bool { return s >= Done }

// Arrival is one delivery as the sandbox saw it. It is a copy; it holds no
// token in full and no patient data.
type Arrival struct {
	ID       int64          `json:"id"`
	Token    string         `json:"token"` // the first eight characters
	Account  string         `json:"account"`
	Channel  upload.Channel `json:"channel"`
	Kind     upload.Kind    `json:"kind,omitempty"`
	Filename string         `json:"filename"` // untrusted

	Bytes     int64             `json:"bytes"`
	ZipDigest string            `json:"zip_digest"`
	CSVBytes  int64             `json:"csv_bytes,omitempty"`
	Digest    string            `json:"digest,omitempty"` // of the CSV
	Coding    map[string]string `json:"coding,omitempty"` // rc020, rc021, rc022 as sent
	Header    map[string]string `json:"header,omitempty"` // Content-Type, User-Agent, Traceparent as sent

	Status   Status           `json:"status"`
	Verdict  upload.Verdict   `json:"verdict,omitempty"`
	Message  string           `json:"message,omitempty"` // errormsg
	Rows     int64            `json:"rows"`
	Charset  string           `json:"charset,omitempty"`
	Standard string           `json:"standard,omitempty"`
	Grades   *upload.Grades   `json:"grades,omitempty"`
	Tally    upload.Tally     `json:"tally"`
	Findings []upload.Finding `json:"findings,omitempty"` // at most keptFindings

	ReceivedAt time.Time `json:"received_at"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	DecidedAt  time.Time `json:"decided_at,omitzero"`
	Asked      int       `json:"asked"` // how often the result was asked for; not kept over restarts

	// Accepted is how often this content has been accepted so far, by this or other deliveries.
	Accepted int `json:"accepted_times"`
}

// keptFindings is how many findings are remembered for a delivery.
const keptFindings = 50

// Content is what the sandbox knows of one content, over all its deliveries.
type Content struct {
	Account  string         `json:"account"`
	Channel  upload.Channel `json:"channel"`
	Digest   string         `json:"digest"`
	Received int            `json:"received"` // deliveries that could be read
	Accepted int            `json:"accepted"` // of these, stored in whole or in part
}

type contentKey struct {
	account string
	channel upload.Channel
	digest  string
}

// delivery is an arrival with what only the server itself may know.
type delivery struct {
	Arrival
	token string
}

func (d *delivery) key() contentKey { return contentKey{d.Account, d.Channel, d.Digest} }

// stored reports whether records of the delivery were stored.
func (a *Arrival) stored() bool {
	return a.Verdict == upload.Accepted || a.Verdict == upload.PartiallyAccepted
}

// shorten cuts a token to what may be shown.
func shorten(token string) string {
	if len(token) > 8 {
		return token[:8]
	}
	return token
}
