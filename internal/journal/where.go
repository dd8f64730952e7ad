package journal

import "strings"

// where gathers conditions and their arguments.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(term string, args ...any) {
	w.terms, w.args = append(w.terms, term), append(w.args, args...)
}

func (w *where) sql() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// oneOf adds that the column has one of the values; no values: any will do.
func oneOf[T ~string](w *where, column string, values []T) {
	if len(values) > 0 {
		w.add(column+` IN (`+marks(len(values))+`)`, texts(values)...)
	}
}

func texts[T ~string](values []T) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	return args
}
