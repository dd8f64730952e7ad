package alert

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Failure says in our own words why a message did not arrive; nothing in it is
// the receiver's but numbers.
type Failure struct {
	Text string
	Wish time.Duration // how long the receiver wants to be left alone
}

// Error implements error.
func (f *Failure) Error() string { return f.Text }

// busy is how long a robot is left alone that has said that it was asked too
// often: DingTalk's is closed for ten minutes, the others' for one.
var busy = map[int64]time.Duration{
	130101: 10 * time.Minute, 410100: 10 * time.Minute, // DingTalk
	45009: time.Minute, 45033: time.Minute, // WeCom
	11232: time.Minute, 9499: 0, // Feishu
}

// meanings of the numbers that tell an operator what to do.
var meanings = map[int64]string{
	310000: "the robot refuses: wrong signature (ALERT_SECRET), keyword or address", // DingTalk
	300001: "the robot's token is wrong", 300005: "the robot's token is wrong",
	130101: "too many messages", 410100: "too many messages",
	93000: "the robot's key is wrong, or it was removed", 45009: "too many messages", 45033: "too many messages", // WeCom
	19021: "wrong signature (ALERT_SECRET), or our clock is wrong", 19022: "the robot does not take messages from our address", // Feishu
	19024: "the robot wants a keyword", 19001: "the robot's address is wrong", 11232: "too many messages", 9499: "the robot does not take the message",
}

// judge reads an answer: vendors say 200 also where they refuse.
func (f Format) judge(status int, header http.Header, body []byte, now time.Time) error {
	if status < 200 || status > 299 {
		return &Failure{fmt.Sprintf("the receiver answered with status %d", status), retryAfter(header, now)}
	}
	if f == JSON || f == Alertmanager {
		return nil
	}
	var answer struct {
		ErrCode    *int64 `json:"errcode"`    // DingTalk, WeCom
		Code       *int64 `json:"code"`       // Feishu
		StatusCode *int64 `json:"StatusCode"` // Feishu, formerly
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return &Failure{Text: "the receiver's answer is not a robot's"}
	}
	for _, code := range []*int64{answer.ErrCode, answer.Code, answer.StatusCode} {
		if code == nil {
			continue
		}
		if *code == 0 {
			return nil
		}
		text := fmt.Sprintf("the receiver answered with code %d", *code)
		if m := meanings[*code]; m != "" {
			text += ": " + m
		}
		return &Failure{text, busy[*code]}
	}
	return &Failure{Text: "the receiver's answer is not a robot's"}
}

// maxWish bounds what a receiver may wish for.
const maxWish = time.Hour

func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxWish)
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, min(at.Sub(now), maxWish))
	}
	return 0
}
