//go:build !linux

package watch

// Each sifts and visits entry by entry.
func (d directory) Each(sift func([]Entry) []Entry, visit func(Entry) error) error {
	for e, err := range d.List(".") {
		if err != nil {
			return err
		}
		left := []Entry{{Name: e.Name, Type: e.Type, look: d.Look}}
		if sift != nil {
			left = sift(left)
		}
		for _, e := range left {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func storageOf(string) storage { return storage{} }
