package upload

import "time"

// ID identifies an upload: a UUID version 7 (RFC 9562) in canonical lower case,
// so that IDs sort by the time of spotting.
type ID string

// Channel names an account at a server, with a watched directory and a standard.
type Channel string

// The channels of HQMSTran, and so of this program.
const (
	// HQMS takes discharge front pages (病案首页).
	HQMS Channel = "hqms"
	// Flu takes the six feeds of the influenza surveillance system.
	Flu Channel = "flu"
)

// Kind names a family of files, by the prefix of the file's name: flu, hqms,
// hda, hdr, pdr or lis, or one that a mounted standard adds.
type Kind string

// Identity is what tells one content of a file from another without reading it.
// Times are nanoseconds since the Unix epoch, as the file system gives them.
type Identity struct {
	Inode      uint64
	Size       int64
	ModTime    int64
	ChangeTime int64
}

// IsZero reports whether nothing has been looked at yet.
func (i Identity) IsZero() bool { return i == Identity{} }

// Upload is one row of the journal: the journey of one content of one file.
// It is a value: stages get a copy and return an Outcome.
type Upload struct {
	ID       ID
	BatchID  string // UUIDv7; the same for files found together
	Channel  Channel
	Kind     Kind
	Filename string // the file's own name in the watched directory, valid UTF-8, no separator

	Source   Identity // as of the last look; from settled on, the content this upload is about
	Digest   string   // "sha-256:<hex>" of the original's bytes; empty before validated
	Rows     int64    // data rows, the header excluded; 0 before validated
	Charset  string   // "utf-8" or "gb18030"; empty before validated
	Standard string   // id of the standard the header matched, e.g. "flu-2.6"

	PackedSize   int64  // bytes in the spool
	PackedDigest string // "sha-256:<hex>" of the packed bytes

	State   State
	Verdict Verdict
	// VerdictReason is why the verdict is so: Reason may since have become why
	// putting the original away has to wait.
	VerdictReason Reason
	Reason        Reason // why it is where it is; empty when all is as usual
	Detail        string // the reason's particulars for the operator; no patient data, no secret
	Attempt       int    // tries of the present stage that ended in a passing fault
	Polls         int    // times the server was asked for the verdict since the ticket was issued
	ResumeAt      State  // the state a failed upload goes back to on retry; else empty
	Forced        bool   // an operator asked for it: findings do not hold it back
	ReplacesID    ID     // the finished upload of the same file name that this one follows; may be empty

	// ContentKey is Digest while this upload holds the right to deliver the
	// content (see the package comment); else empty.
	ContentKey string
	Ticket     Ticket
	Receipt    *Receipt
	Findings   Tally

	Place Place
	Path  string // where the original is: relative to the watched directory or to STATE_DIR, by Place

	SpottedAt     time.Time // UTC
	UpdatedAt     time.Time
	NextAttemptAt time.Time // not to be worked on before; never zero in open states
	SentAt        time.Time // first time it became sent; the result deadline counts from here
	FinishedAt    time.Time // zero unless the state is final

	TraceID    string // 32 hex digits, chosen when spotted
	RootSpanID string // 16 hex digits

	// Fence is the fencing token of the lease under which this copy was
	// claimed; every write is guarded by it. 0: not claimed.
	Fence int64
}

// Fate says how far a ticket's bytes got, as far as we can know.
type Fate string

// The fates.
const (
	// Untouched: issued; no byte of the body has been handed to the connection.
	// After a crash it must be read as Maybe.
	Untouched Fate = "untouched"
	// Broken: the body was not written whole, so it has not arrived.
	Broken Fate = "broken"
	// Maybe: the body went out whole, or may have, but no answer came.
	Maybe Fate = "maybe"
	// Answered: the server answered that it has it.
	Answered Fate = "answered"
)

// Ticket is the server's permission for one delivery. It is in the journal
// before the first byte is sent. Its token is a secret: it is stored, and never
// shown, logged or traced.
type Ticket struct {
	Token    string    // protocol hqms: the token under which the result is asked
	URL      string    // protocol tus: the upload URL
	Offset   int64     // protocol tus: bytes the server has confirmed
	IssuedAt time.Time // by the clock of the upload's other times
	Fate     Fate

	// Unknowns counts answers in a row by which the server does not know the
	// ticket; UnknownSince is the time of the first of them.
	Unknowns     int
	UnknownSince time.Time
}

// IsZero reports whether there is no ticket.
func (t Ticket) IsZero() bool { return t.Token == "" && t.URL == "" }

// Receipt is what the server said of a delivery. Message is the server's own
// text: untrusted, to be shown to operators and kept out of logs and traces.
type Receipt struct {
	ServerID string    `json:"server_id,omitempty"`
	Status   string    `json:"status"` // the server's own status, e.g. "4"
	Code     string    `json:"code,omitempty"`
	Message  string    `json:"message,omitempty"`
	LoadedAt string    `json:"loaded_at,omitempty"` // the server's own time text
	Grades   *Grades   `json:"grades,omitempty"`
	At       time.Time `json:"at"`
	// Stack is the server's errorStack, cut at 2 KiB: for the journal alone.
	Stack string `json:"-"`
}

// Grades is the checkgrade of protocol hqms: records by the standard they meet.
type Grades struct {
	Below     int64 `json:"grade0"`  // below the storing standard
	Storing   int64 `json:"grade1"`  // meeting the storing standard
	Technical int64 `json:"grade2"`  // meeting the technical-channel standard
	Interface int64 `json:"grade3"`  // meeting the interface standard
	Stocked   int64 `json:"stocked"` // records stored
	Total     int64 `json:"total"`   // records in the package
	Grade     int64 `json:"grade"`   // the package's grade
}

// Severity orders findings by what they mean for the file.
type Severity string

// The severities, worst first.
const (
	// Fatal: the file cannot be read as what it claims to be.
	Fatal Severity = "fatal"
	// Error: a record breaks the standard.
	Error Severity = "error"
	// Warning: worth a look; goes along.
	Warning Severity = "warning"
)

// Rank is 3 for fatal, 2 for error, 1 for warning, 0 for anything else.
func (s Severity) Rank() int {
	switch s {
	case Fatal:
		return 3
	case Error:
		return 2
	case Warning:
		return 1
	default:
		return 0
	}
}

// Finding is one remark of validation. It never holds a cell's value. Its text
// is made from Rule and Params by the phrase catalogue, in either language.
type Finding struct {
	Severity Severity          `json:"severity"`
	Rule     string            `json:"rule"`             // rule id, e.g. "COL-REQUIRED"
	Row      int64             `json:"row,omitempty"`    // the header is row 1; 0: the whole file
	Column   string            `json:"column,omitempty"` // column code as the standard spells it
	Params   map[string]string `json:"params,omitempty"` // expected form and the like
}

// Tally counts findings by severity, also those not kept one by one.
type Tally struct {
	Fatal   int64 `json:"fatal"`
	Error   int64 `json:"error"`
	Warning int64 `json:"warning"`
}

// Worst is the severity of the gravest finding counted; empty if none.
func (t Tally) Worst() Severity {
	switch {
	case t.Fatal > 0:
		return Fatal
	case t.Error > 0:
		return Error
	case t.Warning > 0:
		return Warning
	default:
		return ""
	}
}

// Examination is what one pass over the source found out.
type Examination struct {
	Digest       string
	Size         int64
	Rows         int64
	Charset      string
	Standard     string
	PackedSize   int64
	PackedDigest string
	Tally        Tally
	// Findings are the first ones in full; Tally counts all.
	Findings []Finding
}
