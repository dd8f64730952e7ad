package config

import (
	"regexp"
	"slices"
	"strings"
)

// standardNames are variables that others define and that we, or the Go
// runtime and its libraries, honour as everywhere.
func standardNames() []string {
	return []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ"}
}

// known lists every name that may be set.
func known(fields []field) []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
		if f.secret() {
			names = append(names, f.name+"_FILE")
		}
	}
	return names
}

// unknownNames refuses variables that look like ours and are not.
func (l *loading) unknownNames() {
	names := known(l.fields)
	for name, value := range l.environ {
		switch {
		case slices.Contains(names, name) || slices.Contains(standardNames(), strings.ToUpper(name)):
		case strings.HasPrefix(strings.ToUpper(name), "OTEL_") || serviceLink(name, value):
		case slices.Contains(later(), name):
			if value != "" {
				l.fault(name, "later")
			}
		default:
			l.misspelt(name, names)
		}
	}
}

// misspelt refuses name if it has a prefix of ours, or is so near to one of
// our names that it must be a slip.
func (l *loading) misspelt(name string, names []string) {
	upper := strings.ToUpper(name)
	prefixed := slices.ContainsFunc([]string{"HQMS_", "FLU_", "ALERT_"}, func(p string) bool { return strings.HasPrefix(upper, p) })
	if prefixed {
		l.unknown(name, suggest(upper, names))
		return
	}
	for _, own := range names {
		if upper == own || slip(upper, own) || slices.Contains(bare(), upper) && strings.HasSuffix(own, "_"+upper) {
			l.unknown(name, own)
			return
		}
	}
}

func (l *loading) unknown(name, suggestion string) {
	if suggestion == "" {
		l.fault(name, "unknown")
		return
	}
	l.fault(name, "unknown_near", "nearest", suggestion)
}

// bare are names of a channel's variables that nobody else uses: set without
// HQMS_ or FLU_ they are a slip.
func bare() []string { return []string{"WATCH_DIR", "BLOCK_ON", "ON_ACCEPTED", "ON_REJECTED"} }

var serviceLinks = regexp.MustCompile(`^[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// serviceLink reports whether Kubernetes set the variable for a Service whose
// name begins like our prefixes (hqms-sidecar: HQMS_SIDECAR_SERVICE_HOST).
func serviceLink(name, value string) bool {
	if serviceLinks.MatchString(name) {
		return true
	}
	proto, _, ok := strings.Cut(value, "://") // HQMS_SIDECAR_PORT: an address, unlike a port of our own
	return strings.HasSuffix(name, "_PORT") && ok && slices.Contains([]string{"tcp", "udp", "sctp"}, proto)
}

// suggest is the name that an unknown one with our prefix most probably means;
// empty if none is near.
func suggest(name string, names []string) string {
	stripped := name
	for _, p := range []string{"HQMS_", "FLU_"} {
		stripped = strings.TrimPrefix(stripped, p)
	}
	for _, own := range names {
		if own == stripped || own+"_FILE" == name || own == strings.TrimSuffix(name, "_FILE") {
			return own
		}
	}
	best := nearest(name, names)
	if distance(name, best) > max(2, len(best)/4) {
		return ""
	}
	return best
}

// nearest is the candidate with the fewest changes from s; the first of equals.
func nearest(s string, candidates []string) string {
	best, least := "", -1
	for _, c := range candidates {
		if d := distance(s, c); least < 0 || d < least {
			best, least = c, d
		}
	}
	return best
}

// slip reports whether got is want mistyped: one change, or two in a long
// name. Names of others are not to be refused for being near: the words of up
// to three letters must have the same letters (API_TOKEN is not NPM_TOKEN).
func slip(got, want string) bool {
	allowed := 1
	if len(want) >= 12 {
		allowed = 2
	}
	if distance(got, want) > allowed {
		return false
	}
	a, b := strings.Split(got, "_"), strings.Split(want, "_")
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if min(len(a[i]), len(b[i])) <= 3 && letters(a[i]) != letters(b[i]) {
			return false
		}
	}
	return true
}

func letters(word string) string {
	b := []byte(word)
	slices.Sort(b)
	return string(b)
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that make b of a (optimal string alignment). Names longer than
// any of ours are far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
