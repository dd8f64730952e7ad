package config

import "slices"

// Variable is the name of an environment variable of the program.
type Variable struct {
	Name   string
	Secret bool // an account, password or token: also to be had as Name_FILE
}

// Variables lists every variable the program knows, those of the surroundings
// that it honours too (proxies, time zone), sorted by name; OTEL_* and the
// …_FILE forms of secrets are not listed. What deploys the program is checked
// against it.
func Variables() []Variable {
	var all []Variable
	for _, f := range fields() {
		all = append(all, Variable{Name: f.name, Secret: f.secret()})
	}
	for _, name := range standardNames() {
		all = append(all, Variable{Name: name})
	}
	slices.SortFunc(all, func(a, b Variable) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}
