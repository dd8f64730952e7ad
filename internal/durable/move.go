package durable

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
	"time"
)

// DigestPrefix stands before the hex digits of a digest.
const DigestPrefix = "sha-256:"

// Rename gives the file from the name to, replacing what has it, and syncs the
// directories.
func (d *Dir) Rename(from, to string) error {
	if err := d.RenameSoon(from, to); err != nil {
		return err
	}
	return syncBoth(d, from, d, to)
}

// RenameSoon is Rename that leaves the syncing to what follows, or to nobody: for
// files that can be made again. After a power cut the file has either name, or is
// not whole, or not there.
func (d *Dir) RenameSoon(from, to string) error {
	return rename(d, from, d, to, OpRename, func(a *os.File, name string, b *os.File, target string) error {
		if err := d.before(OpRename, from); err != nil {
			return err
		}
		return renameAt(a, name, b, target)
	})
}

// RenameNoReplace is Rename that fails with fs.ErrExist when to is taken. Where
// the file system lacks renameat2 it links and unlinks; a crash in between
// leaves one file under both names, and a repetition ends it.
func (d *Dir) RenameNoReplace(from, to string) error { return Move(d, from, d, to) }

// RenameNoReplaceSoon is RenameNoReplace that leaves the syncing to what follows:
// after a power cut the file has either name.
func (d *Dir) RenameNoReplaceSoon(from, to string) error { return moveSoon(d, from, d, to) }

// Move moves a file from one directory to a free name in another on the same
// file system, and syncs both. ErrCrossDevice: use MoveAcross. fs.ErrExist: the
// name is taken.
func Move(src *Dir, from string, dst *Dir, to string) error {
	if err := moveSoon(src, from, dst, to); err != nil {
		return err
	}
	return syncBoth(src, from, dst, to)
}

// MoveInto is Move that makes the directory of to and those above it. All is
// synced at its end, the uppermost first and the file's old directory last, so
// that a file system that keeps a journal has one commit to make.
func MoveInto(src *Dir, from string, dst *Dir, to string) error {
	name := path.Dir(to)
	into, touched, err := dst.makeAndOpen(name)
	if err != nil {
		return err
	}
	defer into.close()
	a, err := src.parent(from)
	if err != nil {
		return src.wrap(OpRenameNoReplace, err)
	}
	defer a.Close() //nolint:errcheck // a directory opened to name files in
	if err := src.wrap(OpRenameNoReplace, src.moveAt(a.File, from, into.dir.File, path.Base(to))); err != nil {
		return err
	}
	for _, dir := range touched {
		if err := dst.SyncDir(dir); err != nil {
			return err
		}
	}
	if err := dst.syncOpen(path.Dir(name), into.above); err != nil {
		return err
	}
	if err := dst.syncOpen(name, into.dir); err != nil {
		return err
	}
	return src.SyncDir(path.Dir(from))
}

// moveSoon is Move without the syncing.
func moveSoon(src *Dir, from string, dst *Dir, to string) error {
	return rename(src, from, dst, to, OpRenameNoReplace, func(a *os.File, _ string, b *os.File, target string) error {
		return src.moveAt(a, from, b, target)
	})
}

// moveAt moves the file from, in its open directory a, to the free name target in b.
func (d *Dir) moveAt(a *os.File, from string, b *os.File, target string) error {
	name := path.Base(from)
	err := d.before(OpRenameNoReplace, from)
	if err == nil {
		err = renameNoReplaceAt(a, name, b, target)
	}
	if unsupported(err) {
		err = d.linkThenUnlink(a, from, b, target)
	}
	if errors.Is(err, fs.ErrExist) && sameFile(a, name, b, target) {
		return d.unlink(a, from) // half done before a crash
	}
	return err
}

type renaming func(from *os.File, name string, to *os.File, target string) error

func rename(src *Dir, from string, dst *Dir, to string, op Op, do renaming) error {
	a, err := src.parent(from)
	if err != nil {
		return src.wrap(op, err)
	}
	defer a.Close() //nolint:errcheck // a directory opened to name files in
	b := a
	if src != dst || path.Dir(from) != path.Dir(to) {
		if b, err = dst.parent(to); err != nil {
			return dst.wrap(op, err)
		}
		defer b.Close() //nolint:errcheck // a directory opened to name files in
	}
	return src.wrap(op, do(a.File, path.Base(from), b.File, path.Base(to)))
}

// syncBoth syncs the directory a file came to, and then the one it came from.
func syncBoth(src *Dir, from string, dst *Dir, to string) error {
	if err := dst.SyncDir(path.Dir(to)); err != nil {
		return err
	}
	if src == dst && path.Dir(from) == path.Dir(to) {
		return nil
	}
	return src.SyncDir(path.Dir(from))
}

func (d *Dir) linkThenUnlink(a *os.File, from string, b *os.File, target string) error {
	err := d.before(OpLink, from)
	if err == nil {
		err = linkAt(a, path.Base(from), b, target)
	}
	switch {
	case unsupported(err), errors.Is(err, syscall.EPERM):
		return ErrNoReplace // EPERM says "no links here", not "no permission"
	case err != nil:
		return err
	}
	return d.unlink(a, from)
}

func (d *Dir) unlink(parent *os.File, name string) error {
	if err := d.before(OpRemove, name); err != nil {
		return err
	}
	return unlinkAt(parent, path.Base(name), false)
}

// Content is what a file's bytes are expected to be.
type Content struct {
	Size   int64
	Digest string // "sha-256:<hex>"
}

// CopyAcross copies a file to a free name on another file system: copy to temp,
// check length and SHA-256 against want, fsync, rename, fsync of the directory.
// The modification time comes along. The source is not touched. ErrMismatch:
// the source is not what was expected, nothing was left behind.
func CopyAcross(ctx context.Context, src *Dir, from string, dst *Dir, temp, to string, want Content) error {
	in, err := src.OpenRead(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	seen, err := in.Identity()
	if err != nil {
		return err
	}
	out, err := dst.Create(temp)
	if err != nil {
		return err
	}
	got, err := copyDigest(ctx, out, in)
	if err == nil && got != want {
		err = fmt.Errorf("copy across file systems: %w", ErrMismatch)
	}
	if err == nil {
		err = out.SetModTime(time.Unix(0, seen.ModTime))
	}
	if err != nil {
		out.Discard()
		return err
	}
	return dst.CommitNoReplace(out, to)
}

// MoveAcross is CopyAcross and then, the copy being durable, the removal of the
// source.
func MoveAcross(ctx context.Context, src *Dir, from string, dst *Dir, temp, to string, want Content) error {
	if err := CopyAcross(ctx, src, from, dst, temp, to, want); err != nil {
		return err
	}
	if err := src.Remove(from); err != nil {
		return err
	}
	return src.SyncDir(path.Dir(from))
}

// Digest reads the rest of r and tells its length and SHA-256.
func Digest(ctx context.Context, r io.Reader) (Content, error) { return copyDigest(ctx, io.Discard, r) }

// The buffer of a copy grows within these bounds as there is something to read.
const (
	leastBuffer = 16 << 10
	mostBuffer  = 256 << 10
)

// buffers are of leastBuffer, which is enough for most files.
var buffers = sync.Pool{New: func() any { return new([leastBuffer]byte) }}

func copyDigest(ctx context.Context, w io.Writer, r io.Reader) (Content, error) {
	first, _ := buffers.Get().(*[leastBuffer]byte)
	defer buffers.Put(first)
	sum, buf := sha256.New(), first[:]
	var size int64
	for {
		if err := ctx.Err(); err != nil {
			return Content{}, err
		}
		n, err := r.Read(buf)
		if n > 0 {
			size += int64(n)
			_, _ = sum.Write(buf[:n])
			if _, err := w.Write(buf[:n]); err != nil {
				return Content{}, err
			}
		}
		if n == len(buf) && n < mostBuffer { // small files are many: they do with little
			buf = make([]byte, 2*n)
		}
		if errors.Is(err, io.EOF) {
			return Content{Size: size, Digest: DigestPrefix + hex.EncodeToString(sum.Sum(nil))}, nil
		}
		if err != nil {
			return Content{}, err
		}
	}
}
