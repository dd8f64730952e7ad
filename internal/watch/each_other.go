//go:build !linux

package watch

import "github.com/hqms-sidecar/hqms-sidecar/internal/upload"

// Each visits every entry.
func (d directory) Each(_ func(string) bool, visit func(Entry) error) error {
	for e, err := range d.List(".") {
		if err != nil {
			return err
		}
		if err := visit(Entry{Name: e.Name, Type: e.Type, look: d.Look}); err != nil {
			return err
		}
	}
	return nil
}

func fileSystem(string) (name string, network bool) { return "", false }
