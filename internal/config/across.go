package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"
)

// secretFiles resolves X_FILE for each secret X.
func (l *loading) secretFiles(cfg *Config) {
	for _, f := range l.fields {
		path := l.environ[f.name+"_FILE"]
		if !f.secret() || path == "" {
			continue
		}
		if l.environ[f.name] != "" {
			l.fault(f.name, "both_forms")
			continue
		}
		cfg.files[f.name] = path
		value, err := readSecret(path)
		switch {
		case err != nil:
			l.fault(f.name+"_FILE", "file_unreadable", "path", path, "cause", cause(err))
		case value == "":
			l.fault(f.name+"_FILE", "secret_empty", "path", path)
		case unfit(value) != "":
			l.fault(f.name+"_FILE", unfit(value))
		default:
			reflect.ValueOf(cfg).Elem().FieldByIndex(f.index).Set(reflect.ValueOf(NewSecret(value)))
		}
	}
}

// across checks what concerns more than one variable.
func (l *loading) across(cfg *Config) {
	l.ordered("RETRY_MIN", cfg.RetryMin, "RETRY_MAX", cfg.RetryMax)
	l.ordered("POLL_MIN", cfg.PollMin, "POLL_MAX", cfg.PollMax)
	l.together("TLS_CERT_FILE", cfg.TLSCertFile, "TLS_KEY_FILE", cfg.TLSKeyFile)
	if cfg.TLSClientCAFile != "" && cfg.TLSCertFile == "" {
		l.fault("TLS_CLIENT_CA_FILE", "needs", "other", "TLS_CERT_FILE")
	}
	if cfg.APIToken.IsSet() && cfg.APIToken.Reveal() == cfg.APIViewToken.Reveal() {
		l.fault("API_VIEW_TOKEN", "same_token")
	}
	if cfg.DatabaseURL.IsSet() && !postgresAddress(cfg.DatabaseURL.Reveal()) {
		l.fault("DATABASE_URL", "bad_database")
	}
	l.alerts(cfg)
	for _, ch := range []Channel{cfg.HQMS, cfg.Flu} {
		l.channel(cfg, ch)
	}
	l.expected(cfg)
	if len(cfg.Channels()) == 0 && !l.channelsOptional {
		l.fault("HQMS_WATCH_DIR, FLU_WATCH_DIR", "no_channel")
	}
	if cfg.HQMS.On() && cfg.Flu.On() && samePlace(cfg.HQMS.WatchDir, cfg.Flu.WatchDir) {
		l.fault("FLU_WATCH_DIR", "same_watch_dir", "path", cfg.Flu.WatchDir, "other", "HQMS_WATCH_DIR")
	}
}

func (l *loading) channel(cfg *Config, ch Channel) {
	prefix := strings.ToUpper(string(ch.Name)) + "_"
	l.together(prefix+"CLIENT_CERT_FILE", ch.ClientCertFile, prefix+"CLIENT_KEY_FILE", ch.ClientKeyFile)
	if !ch.On() {
		if len(cfg.Channels()) > 0 {
			l.idle(cfg, prefix)
		}
		return
	}
	if within(cfg.StateDir, ch.WatchDir) {
		l.fault(prefix+"WATCH_DIR", "watch_in_state", "path", ch.WatchDir, "state", cfg.StateDir)
	}
	if l.channelsOptional {
		return
	}
	for name, s := range map[string]Secret{prefix + "ACCOUNT": ch.Account, prefix + "PASSWORD": ch.Password} {
		if !s.IsSet() && !cfg.given[name] {
			l.fault(name, "missing", "watch_dir", prefix+"WATCH_DIR")
		}
	}
}

// idle warns of variables of a channel that is off.
func (l *loading) idle(cfg *Config, prefix string) {
	var set []string
	for _, f := range l.fields {
		if strings.HasPrefix(f.name, prefix) && cfg.given[f.name] {
			set = append(set, f.name)
		}
	}
	if len(set) > 0 {
		l.warn(prefix+"WATCH_DIR", "channel_off", "set", strings.Join(set, ", "))
	}
}

func (l *loading) ordered(low string, a time.Duration, high string, b time.Duration) {
	if a > b {
		l.fault(low, "not_ordered", "value", showDuration(a), "other", high, "other_value", showDuration(b))
	}
}

func (l *loading) together(a, valueA, b, valueB string) {
	switch {
	case valueA != "" && valueB == "" && l.environ[b] == "":
		l.fault(a, "needs", "other", b)
	case valueB != "" && valueA == "" && l.environ[a] == "":
		l.fault(b, "needs", "other", a)
	}
}

// within reports whether path is dir or lies under it, links resolved as far
// as the path exists.
func within(dir, path string) bool {
	rel, err := filepath.Rel(resolved(dir), resolved(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// samePlace reports whether both paths are one directory, also through links
// and mounts.
func samePlace(a, b string) bool {
	if resolved(a) == resolved(b) {
		return true
	}
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// resolved is path with its links resolved, as far as it exists.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolved(parent), filepath.Base(path))
}
