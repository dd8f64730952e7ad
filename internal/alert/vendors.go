package alert

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of the vendors, in bytes, with something to spare.
const (
	dingtalkLimit = 19_000
	wecomLimit    = 4_000
	feishuLimit   = 18_000
)

// markdown writes a message in the markup that DingTalk and WeCom share.
func (m Message) markdown(severity func(s, title string) string) string {
	var b strings.Builder
	b.WriteString(severity(m.Alert.Severity, m.title()))
	for _, l := range m.lines(harmless) {
		if l.label == "" {
			b.WriteString("\n\n" + l.text)
			continue
		}
		b.WriteString("\n\n> **" + l.label + "** " + l.text)
	}
	return b.String()
}

// withLink cuts text so that text and link fit into limit.
func (m Message) withLink(text string, limit int) string {
	link := ""
	if m.Link != "" {
		link = "\n\n[" + m.word("alert.label.open") + "](" + m.Link + ")"
	}
	return cut(text, limit-len(link)) + link
}

type dingtalkMarkdown struct {
	Type     string `json:"msgtype"`
	Markdown struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	} `json:"markdown"`
}

func dingtalkBody(m Message) dingtalkMarkdown {
	v := dingtalkMarkdown{Type: "markdown"}
	v.Markdown.Title = m.title()
	v.Markdown.Text = m.withLink(m.markdown(func(_, title string) string { return "### " + title }), dingtalkLimit)
	return v
}

// dingtalkURL signs: HMAC-SHA256 of "timestamp\nsecret" keyed with the secret, in
// milliseconds, both in the query.
func dingtalkURL(address, secret string, now time.Time) string {
	u, err := url.Parse(address)
	if err != nil || secret == "" {
		return address
	}
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	q := u.Query()
	q.Set("timestamp", stamp)
	q.Set("sign", base64Of(sign(secret, stamp+"\n"+secret)))
	u.RawQuery = q.Encode()
	return u.String()
}

type wecomMarkdown struct {
	Type     string `json:"msgtype"`
	Markdown struct {
		Content string `json:"content"`
	} `json:"markdown"`
}

func wecomBody(m Message) wecomMarkdown {
	v := wecomMarkdown{Type: "markdown"}
	v.Markdown.Content = m.withLink(m.markdown(func(s, title string) string {
		color := map[string]string{string(Critical): "warning", string(Warning): "comment"}[s]
		if m.Notice == Resolved {
			color = "info"
		}
		return `### <font color="` + color + `">` + title + `</font>`
	}), wecomLimit)
	return v
}

type feishuCard struct {
	Timestamp string `json:"timestamp,omitempty"`
	Sign      string `json:"sign,omitempty"`
	Type      string `json:"msg_type"`
	Card      struct {
		Config   map[string]bool `json:"config"`
		Header   feishuHeader    `json:"header"`
		Elements []any           `json:"elements"`
	} `json:"card"`
}

type feishuHeader struct {
	Title    feishuText `json:"title"`
	Template string     `json:"template"`
}

type feishuText struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

type feishuDiv struct {
	Tag  string     `json:"tag"`
	Text feishuText `json:"text"`
}

type feishuAction struct {
	Tag     string         `json:"tag"`
	Actions []feishuButton `json:"actions"`
}

type feishuButton struct {
	Tag  string     `json:"tag"`
	Text feishuText `json:"text"`
	URL  string     `json:"url"`
	Type string     `json:"type"`
}

// feishuBody signs: HMAC-SHA256 of nothing keyed with "timestamp\nsecret", in
// seconds, both in the body.
func feishuBody(m Message, secret string, now time.Time) feishuCard {
	v := feishuCard{Type: "interactive"}
	if secret != "" {
		v.Timestamp = strconv.FormatInt(now.Unix(), 10)
		v.Sign = base64Of(sign(v.Timestamp+"\n"+secret, ""))
	}
	v.Card.Config = map[string]bool{"wide_screen_mode": true}
	template := map[string]string{string(Critical): "red", string(Warning): "orange"}[m.Alert.Severity]
	if m.Notice == Resolved {
		template = "green"
	}
	v.Card.Header = feishuHeader{feishuText{"plain_text", m.title()}, template}
	room := feishuLimit
	for _, l := range m.lines(harmless) {
		text := l.text
		if l.label != "" {
			text = "**" + l.label + "** " + text
		}
		text = cut(text, max(room, len("…")))
		room -= len(text)
		v.Card.Elements = append(v.Card.Elements, feishuDiv{"div", feishuText{"lark_md", text}})
	}
	if m.Link != "" {
		v.Card.Elements = append(v.Card.Elements, feishuAction{"action", []feishuButton{{"button", feishuText{"plain_text", m.word("alert.label.open")}, m.Link, "primary"}}})
	}
	return v
}
