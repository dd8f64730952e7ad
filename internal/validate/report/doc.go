// Package report shows what a check found: as text for a terminal or a file
// beside a quarantined original, as JSON for programs, as CSV for Excel.
//
// No form of it holds a cell's value. The CSV begins with a byte order mark so
// that Excel reads it as UTF-8, and no field of it can be taken for a formula.
package report
