package licences

import (
	_ "embed" // of the generated files
	"encoding/csv"
	"strings"
)

//go:generate go test -run ^TestTheListIsThatOfTheModules$ . -update

//go:embed licences.csv
var list string

// Texts are the licences' texts, module by module.
//
//go:embed THIRD_PARTY_LICENSES.txt
var Texts string

// Of is the licence of a module as an SPDX expression; empty: the module is not in
// the programs.
func Of(module string) string {
	rows, err := csv.NewReader(strings.NewReader(list)).ReadAll()
	if err != nil {
		return ""
	}
	for _, row := range rows {
		if row[0] == module {
			return row[1]
		}
	}
	return ""
}

// Modules are the modules of the list.
func Modules() []string {
	var all []string
	rows, err := csv.NewReader(strings.NewReader(list)).ReadAll()
	if err != nil {
		return nil
	}
	for _, row := range rows[1:] {
		all = append(all, row[0])
	}
	return all
}
