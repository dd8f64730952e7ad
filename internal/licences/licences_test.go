package licences

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated files")

// marks tell a licence by words that only its text has, and that it must not have.
var marks = []struct{ id, has, lacks string }{
	{"Apache-2.0", "apache license version 2.0", ""},
	{"MPL-2.0", "mozilla public license version 2.0", ""},
	{"BSD-3-Clause", "redistribution and use in source and binary forms", "advertising materials mentioning"},
	{"ISC", "permission to use copy modify and/or distribute this software", ""},
	{"MIT", "permission is hereby granted free of charge to any person obtaining a copy", ""},
	{"blessing", "may you do good and not evil", ""},
}

// acceptable are licences that a hospital may be given together with ours.
var acceptable = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "blessing"}

// identify gives the SPDX identifiers of the licences in a text, sorted.
func identify(text string) []string {
	text = regexp.MustCompile(`[^a-z0-9./-]+`).ReplaceAllString(strings.ToLower(text), " ")
	text = strings.ReplaceAll(text, "apache license version 2.0 january 2004", "apache license version 2.0")
	var found []string
	for _, m := range marks {
		if !strings.Contains(text, m.has) || m.lacks != "" && strings.Contains(text, m.lacks) {
			continue
		}
		if m.id == "BSD-3-Clause" && !strings.Contains(text, "endorse or promote") {
			m.id = "BSD-2-Clause"
		}
		found = append(found, m.id)
	}
	slices.Sort(found)
	return found
}

func TestLicencesAreToldByTheirText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Apache License\n  Version 2.0, January 2004":                                                               "Apache-2.0",
		"Redistribution and use in source and binary\nforms, … to endorse or promote products":                      "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without":                                        "BSD-2-Clause",
		"Permission is hereby granted, free of charge, to any person\nobtaining a copy":                             "MIT",
		"Permission is hereby granted, free of charge, to any person obtaining a copy … Apache License Version 2.0": "Apache-2.0 MIT",
		"All rights reserved.": "",
	} {
		if got := strings.Join(identify(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

type module struct{ path, version, dir string }

// builtIn lists the modules that are built into the programs on any platform that
// there are images for.
func builtIn(t *testing.T) []module {
	t.Helper()
	found := map[string]module{}
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "../../cmd/...")
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
				found[f[0]] = module{f[0], f[1], f[2]}
			}
		}
	}
	all := []module{{"std", "", runtime.GOROOT()}} //nolint:staticcheck // the test runs where Go is
	for _, m := range found {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return all
}

var named = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice|patents)([.-].*)?$`)

// papers are the files of a module that speak of its licence; a module in a folder
// of its repository may have them there alone.
func papers(t *testing.T, m module) (ids []string, text string) {
	t.Helper()
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !named.MatchString(e.Name()) || e.IsDir() || strings.HasSuffix(e.Name(), ".go") || strings.Contains(e.Name(), "LOGO") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(m.dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		upper := strings.ToUpper(e.Name())
		if !strings.HasPrefix(upper, "NOTICE") && !strings.HasPrefix(upper, "PATENTS") && !strings.Contains(upper, "3RD-PARTY") { // that one also tells of tools and tests
			ids = append(ids, identify(string(content))...)
		}
		text += fmt.Sprintf("---- %s\n\n%s\n\n", e.Name(), strings.TrimSpace(strings.ReplaceAll(string(content), "\r\n", "\n")))
	}
	slices.Sort(ids)
	return slices.Compact(ids), text
}

func TestTheListIsThatOfTheModules(t *testing.T) {
	t.Parallel()
	var rows [][]string
	var texts strings.Builder
	same, order := map[string][]string{}, []string{} // modules by text
	texts.WriteString("What is built into hqms-sidecar and hqms-sandbox besides their own code, and its licences.\nGenerated: make generate.\n\n")
	for _, m := range builtIn(t) {
		ids, text := papers(t, m)
		if len(ids) == 0 {
			t.Errorf("%s %s: no licence is recognised in %s: read it, and add its marks", m.path, m.version, m.dir)
		}
		for _, id := range ids {
			if !slices.Contains(acceptable, id) {
				t.Errorf("%s %s stands under %s: read it before it goes into the programs", m.path, m.version, id)
			}
		}
		rows = append(rows, []string{m.path, strings.Join(ids, " AND ")})
		if same[text] == nil {
			order = append(order, text)
		}
		same[text] = append(same[text], fmt.Sprintf("==== %s (%s)\n", m.path, strings.Join(ids, " AND ")))
	}
	for _, text := range order {
		texts.WriteString(strings.Join(same[text], "") + "\n" + text)
	}
	var table strings.Builder
	w := csv.NewWriter(&table)
	if err := w.WriteAll(append([][]string{{"module", "licence"}}, rows...)); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"licences.csv": table.String(), "THIRD_PARTY_LICENSES.txt": texts.String()} {
		if *update && !t.Failed() {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if stored, err := os.ReadFile(file); err != nil || string(stored) != want {
			t.Errorf("%s is not what the modules say (%v): run go generate ./internal/licences", file, err)
		}
	}
}
