// Package statement writes a month's reconciliation as a page that is printed,
// signed and filed: totals, gaps, expected files that did not come, and every
// file with its digest and receipt.
//
// The page is one HTML document without scripts, pictures or anything that would
// have to be loaded. Its style is inline; [Policy] is the Content-Security-Policy
// that allows just this style. File names and what the server said are other
// people's text and are escaped by html/template. Words come from the phrase
// catalogue, one language at a time.
package statement
