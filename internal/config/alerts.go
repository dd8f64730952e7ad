package config

import (
	"net/url"
	"strings"
	"time"
)

// date reads a day, yyyy-mm-dd.
func (l *loading) date(v string) string {
	if _, err := time.Parse(time.DateOnly, v); err != nil {
		l.fault(l.current.name, "bad_date", "value", quote(v))
	}
	return v
}

// alerts checks how alerts are sent. The address is never repeated: it holds a
// token.
func (l *loading) alerts(cfg *Config) {
	if !cfg.AlertWebhookURL.IsSet() {
		if cfg.AlertSecret.IsSet() {
			l.fault("ALERT_SECRET", "needs", "other", "ALERT_WEBHOOK_URL")
		}
		return
	}
	u, err := url.Parse(cfg.AlertWebhookURL.Reveal())
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		l.fault("ALERT_WEBHOOK_URL", "bad_webhook")
	case !hasToken(u, cfg.AlertFormat):
		l.fault("ALERT_WEBHOOK_URL", "webhook_token")
	case u.Scheme == "http":
		l.warn("ALERT_WEBHOOK_URL", "http_url")
	}
	if cfg.AlertSecret.IsSet() && (cfg.AlertFormat == "wecom" || cfg.AlertFormat == "alertmanager") {
		l.warn("ALERT_SECRET", "secret_unused")
	}
}

// hasToken reports whether the address names a robot, where the format has such.
func hasToken(u *url.URL, format string) bool {
	switch format {
	case "dingtalk":
		return u.Query().Get("access_token") != ""
	case "wecom":
		return u.Query().Get("key") != ""
	case "feishu":
		_, hook, found := strings.Cut(u.Path, "/hook/")
		return found && hook != ""
	default:
		return true
	}
}
