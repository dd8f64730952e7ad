package config

import (
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Bytes is an amount of bytes, written 5GiB, 64MiB, 500MB or a bare number.
type Bytes int64

var errBytes = errors.New("not an amount of bytes")

type unit struct {
	name  string
	bytes int64
}

// units lists the units, largest first, the ones with the longest names before
// those that their names end with.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"kB", 1e3},
		{"B", 1},
	}
}

// ParseBytes reads an amount of bytes; units are read without regard to case.
func ParseBytes(s string) (Bytes, error) {
	number, factor := s, int64(1)
	for _, u := range units() {
		if n := len(s) - len(u.name); n > 0 && strings.EqualFold(s[n:], u.name) {
			number, factor = strings.TrimSpace(s[:n]), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, errBytes
	}
	return Bytes(n * factor), nil
}

// String is the amount in the largest binary unit that keeps it whole.
func (b Bytes) String() string {
	for _, u := range units() {
		if strings.HasSuffix(u.name, "iB") && b >= Bytes(u.bytes) && int64(b)%u.bytes == 0 {
			return strconv.FormatInt(int64(b)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// URL is a server's address: http or https, with a host, without credentials,
// query or fragment.
type URL struct{ u *url.URL }

// IsZero reports whether no address is set.
func (u URL) IsZero() bool { return u.u == nil }

// String is the address.
func (u URL) String() string {
	if u.u == nil {
		return ""
	}
	return u.u.String()
}

// URL is a copy of the address; nil if none is set.
func (u URL) URL() *url.URL {
	if u.u == nil {
		return nil
	}
	c := *u.u
	return &c
}

// defaultServer is the national server of a channel.
func defaultServer(ch upload.Channel) URL {
	host := "flu.hqms.org.cn"
	if ch == upload.HQMS {
		host = "ts.hqms.org.cn"
	}
	return URL{&url.URL{Scheme: "https", Host: host, Path: "/"}}
}

// url reads a server's address. The refused value is never repeated: it may
// hold a password.
func (l *loading) url(v string) URL {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		l.fault(l.current.name, "bad_url", "default", l.current.def)
	case u.User != nil:
		l.fault(l.current.name, "url_credentials", "prefix", l.current.prefix)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		l.fault(l.current.name, "url_query")
	default:
		if u.Scheme == "http" {
			l.warn(l.current.name, "http_url")
		}
		return URL{u}
	}
	return URL{}
}

// postgresAddress reports whether v can be the address of a PostgreSQL database.
func postgresAddress(v string) bool {
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return false
	}
	return u.Hostname() != "" || u.Query().Get("host") != ""
}

// Parameters are further query parameters of an upload, as some servers want
// them (year, month, genLargeDat, orgid).
type Parameters url.Values

// String is the parameters as a query.
func (p Parameters) String() string { return url.Values(p).Encode() }

func (l *loading) parameters(v string) Parameters {
	values, err := url.ParseQuery(v)
	if err != nil {
		l.fault(l.current.name, "bad_parameters")
		return nil
	}
	for _, own := range []string{"token", "datatype", "rc020", "rc021", "loginid", "pwd"} {
		if values.Has(own) {
			l.fault(l.current.name, "own_parameter", "parameter", own)
		}
	}
	return Parameters(values)
}
