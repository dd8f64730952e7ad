// Package process runs the built programs as children of a test: it builds them
// where nobody has, starts, ends and kills them, and keeps what they write.
package process
