package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

// Format is the form of messages that a receiver wants.
type Format string

// The formats.
const (
	JSON         Format = "json"
	DingTalk     Format = "dingtalk"
	WeCom        Format = "wecom"
	Feishu       Format = "feishu"
	Alertmanager Format = "alertmanager"
)

// Formats lists the formats.
func Formats() []Format { return []Format{JSON, DingTalk, WeCom, Feishu, Alertmanager} }

// posting is a message ready to be posted.
type posting struct {
	url    string
	header http.Header
	body   []byte
}

// post makes a message ready. The address is the receiver's, secret what it
// signs with (empty: nothing is signed).
func (f Format) post(m Message, address, secret string, now time.Time) (posting, error) {
	p := posting{url: address, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}}
	var v any
	switch f {
	case DingTalk:
		v = dingtalkBody(m)
		p.url = dingtalkURL(address, secret, now)
	case WeCom:
		v = wecomBody(m)
	case Feishu:
		v = feishuBody(m, secret, now)
	case Alertmanager:
		v = alertmanagerBody(m)
		p.url = alertmanagerURL(address)
	default:
		v = jsonBody(m)
	}
	var err error
	if p.body, err = json.Marshal(v); err != nil {
		return p, err
	}
	if f == JSON && secret != "" {
		stamp := strconv.FormatInt(now.Unix(), 10)
		p.header.Set("X-Hqms-Timestamp", stamp)
		p.header.Set("X-Hqms-Signature", "sha256="+hex.EncodeToString(sign(secret, stamp+"."+string(p.body))))
	}
	return p, nil
}

func sign(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// payload is a message in the form json.
type payload struct {
	Version        int               `json:"version"`
	Notice         Notice            `json:"notice"`
	ID             string            `json:"id"`
	Key            string            `json:"key"`
	Event          string            `json:"event"`
	Severity       string            `json:"severity"`
	Channel        string            `json:"channel,omitempty"`
	Kind           string            `json:"kind,omitempty"`
	Subject        string            `json:"subject,omitempty"`
	Reason         string            `json:"reason,omitempty"`
	Title          map[string]string `json:"title"`
	Text           map[string]string `json:"text"`
	Remedy         map[string]string `json:"remedy"`
	Count          int64             `json:"count"`
	Files          []payloadFile     `json:"files"`
	OpenedAt       time.Time         `json:"opened_at"`
	AcknowledgedAt *time.Time        `json:"acknowledged_at,omitempty"`
	ResolvedAt     *time.Time        `json:"resolved_at,omitempty"`
	Link           string            `json:"link,omitempty"`
}

type payloadFile struct {
	Filename string `json:"filename"`
	UploadID string `json:"upload_id"`
}

// maxPayloadFiles bounds the files of a message in the form json.
const maxPayloadFiles = 50

func jsonBody(m Message) payload {
	a := m.Alert
	p := payload{
		Version: 1, Notice: m.Notice, ID: a.ID, Key: a.Key, Event: a.Event, Severity: a.Severity, Channel: string(a.Channel), Kind: string(a.Kind),
		Subject: a.Subject, Reason: a.Params["reason"], Title: map[string]string{}, Text: map[string]string{}, Remedy: map[string]string{},
		Count: Pending(a), Files: []payloadFile{}, OpenedAt: a.OpenedAt.UTC(), Link: m.Link,
	}
	for _, lang := range phrase.Langs() {
		p.Title[string(lang)], p.Text[string(lang)], p.Remedy[string(lang)] = Title(a, lang), Text(a, lang), Remedy(a, lang)
	}
	for _, f := range a.Files[:min(maxPayloadFiles, len(a.Files))] {
		p.Files = append(p.Files, payloadFile{f.Name, string(f.UploadID)})
	}
	if !a.ResolvedAt.IsZero() {
		p.ResolvedAt = new(a.ResolvedAt.UTC())
	}
	if !a.AcknowledgedAt.IsZero() {
		p.AcknowledgedAt = new(a.AcknowledgedAt.UTC())
	}
	return p
}

// amAlert is an alert as Alertmanager's API v2 takes it.
type amAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// amStays is how long Alertmanager keeps an alert that it does not hear of again;
// messages are repeated more often than that, see [Format.Repeat].
const amStays = 15 * time.Minute

// Repeat is how often an alert that stays is sent again, of what is wished for:
// Alertmanager takes for over what it does not hear of, and repeats by itself.
func (f Format) Repeat(wish time.Duration) time.Duration {
	if f == Alertmanager {
		return amStays / 3
	}
	return wish
}

func alertmanagerBody(m Message) []amAlert {
	a := m.Alert
	labels := map[string]string{"alertname": "Hqms" + camel(a.Event), "event": a.Event, "severity": a.Severity, "service": "hqms-sidecar"}
	for k, v := range map[string]string{"channel": string(a.Channel), "kind": string(a.Kind), "subject": a.Subject} {
		if v != "" {
			labels[k] = v
		}
	}
	notes := map[string]string{
		"summary": Title(a, m.Lang), "description": Text(a, m.Lang), "remedy": Remedy(a, m.Lang), "count": itoa(Pending(a)),
	}
	if files := m.files(harmless); files != "" {
		notes["files"] = files
	}
	ends := a.ResolvedAt
	if ends.IsZero() {
		ends = m.At.Add(amStays)
	}
	return []amAlert{{Labels: labels, Annotations: notes, StartsAt: a.OpenedAt.UTC(), EndsAt: ends.UTC(), GeneratorURL: m.Link}}
}

func camel(event string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(event, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// alertmanagerURL completes an address that names the server alone.
func alertmanagerURL(address string) string {
	u, err := url.Parse(address)
	if err != nil || strings.HasSuffix(u.Path, "/alerts") {
		return address
	}
	return u.JoinPath("api/v2/alerts").String()
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
