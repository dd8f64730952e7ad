// Package durable does crash-safe file operations in one directory, reached
// through an [os.Root] so that no name, link or race leads out of it.
//
// Why: a file of a hospital must never be half there. Whatever is written here
// becomes visible by rename alone, after its bytes and before its directory are
// on the disk, so that at any moment, and after any crash or power cut, a name
// stands for the whole old content, the whole new content, or nothing.
//
// Every call to the file system is a named [Op] and passes the hook of
// [WithHook] first. A test that lets the k-th call fail, and every call after
// it, has simulated a crash at that point; package
// durabletest enumerates them.
//
// Invariants:
//   - A file opened with OpenRead is regular, was not reached through a symbolic
//     link, and is never written to through this package.
//   - Commit, Rename, RenameNoReplace, Move and MoveInto return after the
//     directories are on the disk, too.
//   - RenameNoReplace and Move never replace an existing file.
//   - Error texts hold the operation and the directory, never a file's name.
//
// Failures are plain errors: [fs.ErrNotExist], [fs.ErrExist], [fs.ErrPermission]
// and the Err… values of this package, all by errors.Is. [Fault] classifies them.
package durable
