package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// event is what the demo reads of an event of the sidecar.
type event struct {
	UploadID string `json:"upload_id"`
	Name     string `json:"name"`
	To       string `json:"to"`
	Verdict  string `json:"verdict"`
	Reason   *text  `json:"reason_text"`
	At       time.Time
}

type text struct {
	Zh string `json:"zh"`
	En string `json:"en"`
}

// row is what the demo reads of an upload.
type row struct {
	ID         string    `json:"id"`
	Channel    string    `json:"channel"`
	Kind       string    `json:"kind"`
	Filename   string    `json:"filename"`
	State      string    `json:"state"`
	Verdict    string    `json:"verdict"`
	Rows       int64     `json:"rows"`
	Size       int64     `json:"size"`
	PackedSize int64     `json:"packed_size"`
	Charset    string    `json:"charset"`
	Place      string    `json:"place"`
	SpottedAt  time.Time `json:"spotted_at"`
	FinishedAt time.Time `json:"finished_at"`
	Receipt    *struct {
		Grades *struct {
			Stocked int64 `json:"stocked"`
			Total   int64 `json:"total"`
		} `json:"grades"`
	} `json:"receipt"`
}

// client asks the sidecar.
type client struct {
	base  string
	token string // empty: none is needed
}

func (c client) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: status %d", path, resp.StatusCode)
	}
	return resp, nil
}

func (c client) read(ctx context.Context, path string, into any) error {
	resp, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	return json.NewDecoder(resp.Body).Decode(into)
}

// ready waits until the sidecar can take files, or ended says that it has gone.
func (c client) ready(ctx context.Context, ended <-chan struct{}) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := c.get(ctx, "/readyz"); err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return errors.New("the sidecar ended before it was ready")
		case <-tick.C:
		}
	}
}

// uploads lists every upload the sidecar knows of.
func (c client) uploads(ctx context.Context) ([]row, error) {
	var all []row
	cursor := ""
	for {
		var page struct {
			Items []row   `json:"items"`
			Next  *string `json:"next"`
		}
		if err := c.read(ctx, "/uploads?limit=100"+cursor, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == nil {
			return all, nil
		}
		cursor = "&cursor=" + url.QueryEscape(*page.Next)
	}
}

// follow calls each with every event from the beginning, until it returns false
// or ctx ends.
func (c client) follow(ctx context.Context, each func(event) bool) error {
	resp, err := c.get(ctx, "/events?after=0")
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("event: %w", err)
		}
		if !each(e) {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("the sidecar closed the event stream")
}

// tokenOf is a token that the sidecar takes when it inherits this environment.
func tokenOf(getenv func(string) string) string {
	for _, name := range []string{"API_VIEW_TOKEN", "API_TOKEN"} {
		if v := strings.TrimSpace(getenv(name)); v != "" {
			return v
		}
		if path := getenv(name + "_FILE"); path != "" {
			if b, err := os.ReadFile(path); err == nil { // else the sidecar says what is wrong with it
				return strings.TrimSpace(strings.TrimPrefix(string(b), "\ufeff"))
			}
		}
	}
	return ""
}
