package app

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// dropCode takes the pages of the program's own file (code and constants) out of
// this process's memory; those that are needed come back from the page cache, one
// by one. Most were needed by the start alone. It gives the number of bytes that
// the mappings span.
//
// Only mappings that cannot be written to, and of which nothing was, are let go
// of: for these, what is in memory is what is in the file.
func dropCode() (int64, error) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // read only
	var all []span
	var now *span
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if s, ok := mapped(line, exe); ok {
			now = s
			if s != nil {
				all = append(all, *s)
			}
		} else if now != nil && strings.HasPrefix(line, "Anonymous:") && strings.Fields(line)[1] != "0" {
			all = all[:len(all)-1]
			now = nil
		}
	}
	var dropped int64
	for _, s := range all {
		if err := s.drop(); err != nil {
			return dropped, fmt.Errorf("let go of pages: %w", err)
		}
		dropped += int64(s.to - s.from) //nolint:gosec // a length
	}
	return dropped, nil
}

// span is a part of the address space.
type span struct{ from, to uintptr }

// mapped reads the first line of a mapping: "from-to perms offset device inode
// path". ok is false for any other line; the span is nil unless the mapping is of
// the file exe, private and not writable.
func mapped(line, exe string) (s *span, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 || strings.HasSuffix(fields[0], ":") {
		return nil, false
	}
	from, to, ok := strings.Cut(fields[0], "-")
	if !ok {
		return nil, false
	}
	if len(fields) != 6 || fields[5] != exe || (fields[1] != "r-xp" && fields[1] != "r--p") {
		return nil, true
	}
	a, err1 := strconv.ParseUint(from, 16, 64)
	b, err2 := strconv.ParseUint(to, 16, 64)
	if errors.Join(err1, err2) != nil || b <= a {
		return nil, true
	}
	return &span{uintptr(a), uintptr(b)}, true
}

func (s span) drop() error {
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, s.from, s.to-s.from, unix.MADV_DONTNEED)
	if errno != 0 {
		return errno
	}
	return nil
}
