package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The protocol's paths, below any base path.
const (
	pathToken  = "/docking/auto/gettoken.shtml" //nolint:gosec // not a credential
	pathUpload = "/autoReqTran.shtml"
	pathResult = "/docking/auto/findResult.shtml"
)

// route tells the step of a path, and the channel that its base path names.
func route(urlPath string) (step StepName, base upload.Channel, ok bool) {
	for _, p := range [...]struct {
		suffix string
		name   StepName
	}{{pathToken, StepToken}, {pathUpload, StepUpload}, {pathResult, StepResult}} {
		if prefix, found := strings.CutSuffix(urlPath, p.suffix); found {
			return p.name, channelOf(prefix), true
		}
	}
	return "", "", false
}

// channelOf is the channel that a base path names: its last segment that is
// the name of one.
func channelOf(prefix string) (ch upload.Channel) {
	for segment := range strings.SplitSeq(strings.ToLower(prefix), "/") {
		if segment == string(upload.Flu) || segment == string(upload.HQMS) {
			ch = upload.Channel(segment)
		}
	}
	return ch
}

// channelFor is the channel of a file that came under base: what the base path
// says, else the option, else the file's name.
func (s *Server) channelFor(base upload.Channel, filename string) upload.Channel {
	switch {
	case base != "":
		return base
	case s.opts.Channel != "":
		return s.opts.Channel
	case strings.HasPrefix(strings.ToLower(filename), "hqms"):
		return upload.HQMS
	default:
		return upload.Flu
	}
}

// answer is what goes back to the client; a fault may damage it first.
type answer struct {
	code   int
	body   []byte
	header map[string]string
}

// reply is the protocol's envelope.
type reply struct {
	Succ       bool   `json:"succ"`
	ErrMsg     string `json:"errMsg"`
	ErrorCode  string `json:"errorCode"`
	ErrorStack string `json:"errorStack"`
	Result     any    `json:"result,omitempty"`
}

func success(result any) answer { return jsonAnswer(reply{Succ: true, Result: result}) }

func refuse(no *refusal) answer { return jsonAnswer(reply{ErrMsg: no.message, ErrorCode: no.code}) }

func jsonAnswer(v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{code: http.StatusInternalServerError}
	}
	return answer{code: http.StatusOK, body: body, header: asJSON}
}

var asJSON = map[string]string{"Content-Type": "application/json;charset=UTF-8"}

// The results of the first two steps; see resultBody for the third.
type (
	tokenBody struct {
		Token string `json:"token"`
	}
	idBody struct {
		ID int64 `json:"id"`
	}
)

// trouble is the answer to a fault of the sandbox's own, such as a full disk.
func (s *Server) trouble(err error) answer {
	s.opts.Logger.Error("cannot serve", "error", err)
	return answer{code: http.StatusServiceUnavailable, header: map[string]string{"Retry-After": "5"}}
}

// call is one request of the protocol.
type call struct {
	*http.Request
	step  StepName
	base  upload.Channel
	query url.Values
	token string
	head  *bufio.Reader // the body, with room to look ahead
}

// heads keeps what uploads were looked ahead through, for those that follow.
var heads = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

func newCall(r *http.Request, step StepName, base upload.Channel) *call {
	c := &call{Request: r, step: step, base: base, query: r.URL.Query()}
	c.token = c.query.Get("token")
	if step == StepUpload {
		c.head, _ = heads.Get().(*bufio.Reader)
		c.head.Reset(r.Body)
	}
	return c
}

// done gives back what the call was lent, once it is answered.
func (c *call) done() {
	if c.head != nil {
		c.head.Reset(nil)
		heads.Put(c.head)
	}
}

// answer does what the call asks for.
func (s *Server) answer(c *call) answer {
	want := http.MethodGet
	if c.step == StepUpload {
		want = http.MethodPost
	}
	if c.Method != want {
		return answer{code: http.StatusMethodNotAllowed, header: map[string]string{"Allow": want}}
	}
	switch c.step {
	case StepToken:
		return s.giveToken(c)
	case StepUpload:
		return s.takeUpload(c)
	default:
		return s.giveResult(c)
	}
}

func (s *Server) giveToken(c *call) answer {
	account := c.query.Get("loginid")
	ok, err := s.ledger.login(account, c.query.Get("pwd"))
	if err != nil {
		return s.trouble(err)
	}
	if !ok {
		return refuse(wrongLogin)
	}
	token, err := s.ledger.issue(account, c.base)
	if err != nil {
		return s.trouble(err)
	}
	return success(tokenBody{token})
}

// takeUpload receives a package. It answers only when the package and its
// place in the queue are durable.
func (s *Server) takeUpload(c *call) answer {
	coding, ok := codingOf(c.query)
	switch {
	case !ok:
		return refuse(badCoding)
	case c.ContentLength < 0:
		return answer{code: http.StatusLengthRequired}
	case c.ContentLength == 0:
		return refuse(emptyBody)
	case c.ContentLength > s.opts.MaxPacked:
		return refuse(tooLarge)
	}
	account, no := s.ledger.begin(c.token, c.base)
	if no != nil {
		return refuse(no)
	}
	filename := c.filename()
	digest, err := s.spool.receive(c.token, c.head, c.ContentLength)
	if err != nil {
		broken := isBroken(err)
		s.ledger.abandon(c.token, broken)
		if broken {
			return answer{} // nobody is left to answer
		}
		return s.trouble(err)
	}
	channel := s.channelFor(c.base, filename)
	id, err := s.ledger.arrive(c.token, Arrival{
		Account: account, Channel: channel, Filename: filename, Bytes: c.ContentLength, ZipDigest: digest,
		Coding: coding, Header: headersOf(c.Request),
	}, s.queues[channel].push)
	if err != nil {
		s.spool.remove(c.token)
		s.ledger.abandon(c.token, false)
		return s.trouble(err)
	}
	return success(idBody{id})
}

// isBroken reports whether a body did not come whole through the client's or
// the network's fault.
func isBroken(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errBody) }

// filename looks into the body for the entry's name.
func (c *call) filename() string {
	if c.head == nil {
		return ""
	}
	head, err := c.head.Peek(localHeader)
	if err != nil {
		return ""
	}
	head, err = c.head.Peek(localHeader + nameLength(head))
	if err != nil {
		return ""
	}
	return peekName(head)
}

// codingOf picks the code versions out of the query; false if one is no version.
func codingOf(query url.Values) (map[string]string, bool) {
	coding := map[string]string{}
	for _, name := range []string{"rc020", "rc021", "rc022"} {
		values, given := query[name]
		if !given {
			continue
		}
		if values[0] != "1" && values[0] != "2" {
			return nil, false
		}
		coding[name] = values[0]
	}
	return coding, true
}

// headersOf keeps the headers worth looking at, cut to what a page can show.
func headersOf(r *http.Request) map[string]string {
	kept := map[string]string{}
	for _, name := range []string{"Content-Type", "User-Agent", "Traceparent"} {
		if v := r.Header.Get(name); v != "" {
			kept[name] = v[:min(len(v), 200)]
		}
	}
	return kept
}

// resultBody is the result of A.3 as the known clients read it.
type resultBody struct {
	ID          int64          `json:"id"`
	LoadDate    string         `json:"loaddate"`
	Status      Status         `json:"status"`
	ErrorMsg    string         `json:"errormsg"`
	HasErrorMsg bool           `json:"hasErrorMsg"`
	CheckGrade  *upload.Grades `json:"checkgrade,omitempty"`
}

var chinaTime = time.FixedZone("CST", 8*60*60)

// beijing is a time as the server shows it.
func beijing(t time.Time) string { return t.In(chinaTime).Format(time.DateTime) }

func (s *Server) giveResult(c *call) answer {
	a, no := s.ledger.result(c.token, c.base)
	if no != nil {
		return refuse(no)
	}
	return success(resultBody{
		ID: a.ID, LoadDate: beijing(a.ReceivedAt), Status: a.Status,
		ErrorMsg: a.Message, HasErrorMsg: a.Message != "", CheckGrade: a.Grades,
	})
}

// send writes the answer; an empty one closes the connection.
func (s *Server) send(w http.ResponseWriter, a answer) {
	if a.code == 0 {
		panic(http.ErrAbortHandler)
	}
	// Where it can be set; net/http lifts it before the connection's next request.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.opts.Stall))
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body) // a client that has gone is its own affair
}
