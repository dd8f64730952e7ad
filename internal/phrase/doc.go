// Package phrase is the one catalogue of words that operators read, in Chinese
// and English: reasons, rules, checks, reports. Each file of the catalogue is a
// CSV with the columns id, zh, en; {name} in a text is filled from parameters.
//
// Invariants: every id has both texts, no id is defined twice, and both texts
// of an id use the same parameters; a test holds the files to it. An unknown
// id is shown as itself, never an error: a missing word must not stop a file.
package phrase
