//go:build race

package browser

// underRace: SQLite is Go here, and filling a long journal with the race detector
// on takes minutes and shows nothing: what is looked at is the browser.
const underRace = true
