package sandbox

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// What can be wrong with a package, in words for its sender.
var (
	errNotZip    = errors.New("不是有效的 ZIP 文件 (not a valid zip)")
	errEntries   = errors.New("压缩包必须只含一个文件 (the zip must hold exactly one file)")
	errEntryName = errors.New("压缩包内的文件名无效 (the name inside the zip is not a plain file name)")
	errEncrypted = errors.New("压缩包已加密 (the zip is encrypted)")
	errTooLarge  = errors.New("解压后过大 (too large when unpacked)")
	errDamaged   = errors.New("压缩包损坏 (the zip is damaged)")
)

// directoryBudget is how many bytes may be read to find a zip's entries. One
// entry needs less than 200 KiB; a directory of millions would fill the memory.
const directoryBudget = mebi

// budgeted is a ReaderAt that refuses to read more than it was given to spend.
type budgeted struct {
	io.ReaderAt
	left    int
	limited bool
}

func (b *budgeted) ReadAt(p []byte, off int64) (int, error) {
	if b.limited {
		if b.left -= len(p); b.left < 0 {
			return 0, errEntries
		}
	}
	return b.ReaderAt.ReadAt(p, off)
}

// openPackage opens the single entry of a zip and gives its name as text. The
// reader fails with errTooLarge when more than limit bytes come out.
func openPackage(r io.ReaderAt, size, limit int64) (string, io.ReadCloser, error) {
	in := &budgeted{ReaderAt: r, left: directoryBudget, limited: true}
	z, err := zip.NewReader(in, size)
	if errors.Is(err, errEntries) {
		return "", nil, errEntries
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return "", nil, errNotZip
	}
	if len(z.File) != 1 || z.File[0].FileInfo().IsDir() {
		return "", nil, errEntries
	}
	entry := z.File[0]
	name, ok := entryName(entry.Name)
	switch {
	case !ok:
		return "", nil, errEntryName
	case entry.Flags&1 != 0:
		return name, nil, errEncrypted
	case entry.UncompressedSize64 > uint64(limit): //nolint:gosec // limit is never negative
		return name, nil, errTooLarge
	}
	in.limited = false
	body, err := entry.Open()
	if err != nil {
		return name, nil, errDamaged
	}
	return name, &bounded{ReadCloser: body, left: limit}, nil
}

// bounded turns every fault of unpacking into words for the sender, and stops
// at the limit whatever the directory said.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return n, err
}

// entryName is the name of an entry as text, if it is a plain file name. Tools
// on Chinese Windows write names in GBK; they are decoded for showing.
func entryName(raw string) (string, bool) {
	name := raw
	if !utf8.ValidString(raw) {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().String(raw)
		if err != nil {
			return "", false
		}
		name = decoded
	}
	if name == "" || name == "." || name == ".." || len(name) > 1024 || strings.ContainsAny(name, `/\:`) {
		return "", false
	}
	for _, r := range name {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return "", false
		}
	}
	return name, true
}

// localHeader is the length of a zip's local file header, up to the name.
const localHeader = 30

// nameLength is the length of the name that follows a local file header.
func nameLength(header []byte) int { return int(header[26]) | int(header[27])<<8 }

// peekName reads the entry's name out of the first bytes of a zip, for faults
// that ask for a file name before the body is read. Empty: cannot be told.
func peekName(head []byte) string {
	if len(head) < localHeader || string(head[:4]) != "PK\x03\x04" || len(head) < localHeader+nameLength(head) {
		return ""
	}
	name, _ := entryName(string(head[localHeader : localHeader+nameLength(head)]))
	return name
}
