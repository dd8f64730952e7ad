package upload

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// NewID makes an ID for an upload spotted at now.
func NewID(now time.Time) ID { return ID(NewUUID(now)) }

// NewUUID makes a UUID version 7 (RFC 9562) in canonical lower case.
func NewUUID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i)) //nolint:gosec // one byte after the other is meant
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Valid reports whether id has the form of an ID, so that it may be part of a
// file's name or be taken from one.
func (id ID) Valid() bool {
	if len(id) != 36 {
		return false
	}
	for i, c := range []byte(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hexDigit := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
		if dash != (c == '-') || !dash && !hexDigit {
			return false
		}
	}
	return true
}

// NewTraceID makes the ids of an upload's trace: 32 and 16 hex digits.
func NewTraceID() (trace, span string) {
	var b [24]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:16]), hex.EncodeToString(b[16:])
}
