package hqms

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Cuts on the server's texts, in bytes.
const (
	maxText  = 2 << 10
	maxShort = 128
	maxToken = 512
)

// The statuses that end a delivery; 0 to 3 are stations on the way.
const (
	statusDone      = "4"
	statusFailed    = "5"
	statusDuplicate = "6"
)

// answer is any answer of the interface. Servers are careless about types, so
// every field reads what it can.
type answer struct {
	Succ       flag   `json:"succ"`
	ErrMsg     text   `json:"errMsg"`
	ErrorCode  text   `json:"errorCode"`
	ErrorStack text   `json:"errorStack"`
	Result     result `json:"result"`
}

type result struct {
	present bool
	resultFields
}

type resultFields struct {
	Token      text        `json:"token"`
	ID         text        `json:"id"`
	LoadDate   text        `json:"loaddate"`
	Status     text        `json:"status"`
	ErrorMsg   text        `json:"errormsg"`
	CheckGrade *checkGrade `json:"checkgrade"`
}

type checkGrade struct {
	Grade0  number `json:"grade0"`
	Grade1  number `json:"grade1"`
	Grade2  number `json:"grade2"`
	Grade3  number `json:"grade3"`
	Stocked number `json:"stocked"`
	Total   number `json:"total"`
	Grade   number `json:"grade"`
}

// parse reads an answer. Its errors are fixed texts: they repeat nothing of it.
func parse(body []byte) (answer, error) {
	if len(body) > maxAnswer {
		return answer{}, errors.New("the answer is too long")
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	switch {
	case len(body) == 0:
		return answer{}, errors.New("the answer is empty")
	case body[0] == '<':
		return answer{}, errors.New("the answer is a web page")
	case body[0] != '{':
		return answer{}, errors.New("the answer is no JSON object")
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{}, errors.New("the answer is damaged or cut short")
	}
	return a, nil
}

// refuses reports whether the answer says no: succ is false.
func (a answer) refuses() bool { return a.Succ.known && !a.Succ.yes }

func (a answer) token() string { return string(a.Result.Token) }

func (a answer) refusal() *upload.Refusal {
	return &upload.Refusal{Code: a.ErrorCode.cut(maxShort), Message: a.ErrMsg.cut(maxText)}
}

// receipt keeps what the server said.
func (a answer) receipt(now time.Time) *upload.Receipt {
	r := a.Result
	message := r.ErrorMsg
	if message == "" {
		message = a.ErrMsg
	}
	return &upload.Receipt{
		ServerID: r.ID.cut(maxShort), Status: r.status(), Code: a.ErrorCode.cut(maxShort),
		Message: message.cut(maxText), LoadedAt: r.LoadDate.cut(maxShort), Grades: r.CheckGrade.grades(),
		At: now.UTC(), Stack: a.ErrorStack.cut(maxText),
	}
}

// status is the status as the table spells it: "4" also for 4.0 and " 4 ".
func (r result) status() string {
	if f, err := strconv.ParseFloat(strings.TrimSpace(string(r.Status)), 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1e6 {
		return strconv.Itoa(int(f))
	}
	return r.Status.cut(maxShort)
}

// standing reads the table of statuses.
func (a answer) standing(now time.Time) upload.Answer {
	if !a.Result.present {
		return upload.Answer{Standing: upload.StandingUnknown, Receipt: a.receipt(now)}
	}
	x := upload.Answer{Standing: upload.StandingWorking, Receipt: a.receipt(now)}
	switch x.Receipt.Status {
	case "0", "1", "2", "3":
		x.Reason = upload.ServerWorking
	case statusDone:
		judge(&x, a.Result.CheckGrade)
	case statusFailed:
		x.Standing, x.Verdict, x.Reason = upload.StandingDone, upload.Rejected, upload.RejectedByServer
	case statusDuplicate:
		x.Standing, x.Reason = upload.StandingDuplicate, upload.ServerHasIt
	default: // a status nobody has seen: wait for one that we know
		x.Reason = upload.VerdictUnknown
	}
	return x
}

// judge turns the counts of status 4 into a verdict. Without counts, or with
// counts that cannot be, there is no proof of anything: it goes on waiting.
func judge(x *upload.Answer, g *checkGrade) {
	if g == nil || !g.Stocked.known || !g.Total.known || g.Stocked.n < 0 || g.Stocked.n > g.Total.n {
		x.Reason = upload.ServerUnreadable
		return
	}
	x.Standing = upload.StandingDone
	switch {
	case g.Stocked.n == g.Total.n:
		x.Verdict = upload.Accepted
	case g.Stocked.n > 0:
		x.Verdict, x.Reason = upload.PartiallyAccepted, upload.PartlyStored
	default:
		x.Verdict, x.Reason = upload.Rejected, upload.RejectedByServer
	}
}

func (g *checkGrade) grades() *upload.Grades {
	if g == nil {
		return nil
	}
	return &upload.Grades{
		Below: g.Grade0.n, Storing: g.Grade1.n, Technical: g.Grade2.n, Interface: g.Grade3.n,
		Stocked: g.Stocked.n, Total: g.Total.n, Grade: g.Grade.n,
	}
}

// validToken: something that can travel in a query and be stored.
func validToken(s string) bool {
	return s != "" && len(s) <= maxToken && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
