package journal

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"time"
)

// Position is an upload's place among all, in the order of spotting; it stays
// where it is when rows come and go. Those that were spotted in one moment, as the
// files of a rescan are, have the order of their rows: their ids have none.
type Position struct {
	Spotted int64 // nanoseconds since 1970
	Seq     int64 // the row's number
}

func positionOf(spotted time.Time, seq int64) Position {
	return Position{spotted.UnixNano(), seq}
}

// Compare is below zero where p comes before q, and above zero where it comes after.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Spotted, q.Spotted), cmp.Compare(p.Seq, q.Seq))
}

// String is the cursor of what follows the position.
func (p Position) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "1.%d.%d", p.Spotted, p.Seq))
}

// ParsePosition is the position of a cursor. ErrBadCursor: it is no cursor of ours.
func ParsePosition(cursor string) (Position, error) {
	var p Position
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return p, ErrBadCursor
	}
	if _, err := fmt.Sscanf(string(b), "1.%d.%d", &p.Spotted, &p.Seq); err != nil || p.String() != cursor {
		return p, ErrBadCursor
	}
	return p, nil
}
