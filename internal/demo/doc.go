// Package demo runs the whole thing for somebody to watch: a sandbox server, the
// sidecar as a child process, and a make-believe HIS that exports into the
// directories the sidecar watches. It follows the sidecar's event stream, prints
// each file's way as it happens, and ends with a table; its result says whether
// every file came to the verdict it was made for.
//
// It knows the sidecar by its API alone, as any other client does.
package demo
