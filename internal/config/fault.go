package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

var errNotRegular = errors.New("not a regular file")

// Fault is one thing wrong with the configuration, or worth a warning.
type Fault struct {
	Variable string            // the variable, e.g. "QUIET_PERIOD"
	What     string            // config.fault.<What> says what is wrong, config.remedy.<What> what to do
	Params   map[string]string // of both phrases; never a secret
}

func newFault(variable, what string, pairs ...string) Fault {
	params := map[string]string{"variable": variable}
	for i := 0; i+1 < len(pairs); i += 2 {
		params[pairs[i]] = pairs[i+1]
	}
	return Fault{Variable: variable, What: what, Params: params}
}

// Text says what is wrong.
func (f Fault) Text(lang phrase.Lang) string {
	return phrase.Text(lang, "config.fault."+f.What, f.Params)
}

// Remedy says what to do.
func (f Fault) Remedy(lang phrase.Lang) string {
	return phrase.Text(lang, "config.remedy."+f.What, f.Params)
}

// Error implements error.
func (f Fault) Error() string { return f.Variable + ": " + f.Text(phrase.English) }

// Faults is everything wrong with the configuration; the error of Load.
type Faults []Fault

// FaultsOf finds the faults in the error of Load; nil if there are none.
func FaultsOf(err error) Faults {
	faults, _ := errors.AsType[Faults](err)
	return faults
}

// Error implements error; [Faults.Print] is for people.
func (fs Faults) Error() string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = f.Error()
	}
	return fmt.Sprintf("configuration: %d faults: %s", len(fs), strings.Join(parts, "; "))
}

// Print writes every fault with its remedy, Chinese first, for a terminal.
func (fs Faults) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", phrase.Text(phrase.Chinese, "config.faults", map[string]string{"n": itoa(len(fs))}),
		phrase.Text(phrase.English, "config.faults", map[string]string{"n": itoa(len(fs))}))
	for _, f := range fs {
		fmt.Fprintf(&b, "\n%s\n", f.Variable)
		for _, lang := range phrase.Langs() {
			fmt.Fprintf(&b, "  %s\n  → %s\n", indent(f.Text(lang)), indent(f.Remedy(lang)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n    ") }

// cause is the plain cause of a file system error, without the path again.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no.Error()
	}
	return err.Error()
}
