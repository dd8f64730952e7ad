package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// envPrefix begins the environment variables that stand for flags.
const envPrefix = "SANDBOX_"

// envName is the variable that stands for a flag.
func envName(flagName string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// newFlags makes a flag set that prints nothing by itself.
func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// describe prints the flags; their usage texts are "Chinese | English".
func describe(fs *flag.FlagSet, w io.Writer) {
	say(w, "hqms-sandbox %s [选项 flags]\n\n", fs.Name())
	fs.VisitAll(func(f *flag.Flag) {
		zh, en, _ := strings.Cut(f.Usage, " | ")
		say(w, "  -%s  (%s)\n      %s\n      %s\n", f.Name, envName(f.Name), zh, en)
		if !slices.Contains([]string{"", "0", "false", "0s"}, f.DefValue) {
			say(w, "      默认 default: %s\n", f.DefValue)
		}
	})
}

// parse sets the flags from the environment and then from args, which win.
// It returns the variables with our prefix that stand for no flag of this
// command; they are worth a warning, since a misspelt one does nothing.
func parse(fs *flag.FlagSet, args []string, around surroundings) (unknown []string, err error) {
	var faults []error
	for _, pair := range around.environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		found := false
		fs.VisitAll(func(f *flag.Flag) {
			if envName(f.Name) != name {
				return
			}
			found = true
			if err := f.Value.Set(value); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
			}
		})
		if !found {
			unknown = append(unknown, name)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, usageError{err}
	}
	if err := parseArgs(fs, args, around.stdout); err != nil {
		return nil, err
	}
	slices.Sort(unknown)
	return unknown, nil
}

// parseArgs parses args; a wrong flag is a usage error, -h prints the flags.
func parseArgs(fs *flag.FlagSet, args []string, out io.Writer) error {
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		describe(fs, out)
		return err
	} else if err != nil {
		return usageError{err}
	}
	if fs.NArg() > 0 {
		return usageError{fmt.Errorf("多余的参数 %q / unexpected argument %q", fs.Arg(0), fs.Arg(0))}
	}
	return nil
}

// list is a flag that may be given several times; in the environment its
// values are separated by semicolons. What is given takes the place of the
// default, and nothing (-reject=) leaves the list empty.
type list struct {
	values []string
	given  bool
}

// String implements flag.Value.
func (l *list) String() string { return strings.Join(l.values, ";") }

// Set implements flag.Value.
func (l *list) Set(value string) error {
	if !l.given {
		l.values, l.given = nil, true
	}
	for part := range strings.SplitSeq(value, ";") {
		if part = strings.TrimSpace(part); part != "" {
			l.values = append(l.values, part)
		}
	}
	return nil
}

// secret is a flag whose value -h never shows.
type secret struct{ value *string }

// String implements flag.Value; it never tells the value.
func (secret) String() string { return "" }

// Set implements flag.Value.
func (s secret) Set(value string) error { *s.value = value; return nil }

// secretFromFile reads a secret from a file, without the line end.
func secretFromFile(name string) (string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}
