// Package sheet writes the tables that people open in a spreadsheet. Names of
// files, columns and the server's words are in them, and whoever makes those up
// must not get a formula run on the desk of who reads them: every cell of every
// CSV that leaves the program passes through Cell, since Write leaves no other way.
//
// The form is what Excel takes for UTF-8 without being asked: a byte order mark,
// commas, CRLF.
package sheet
