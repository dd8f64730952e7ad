//go:build race

package e2e

// underRace: SQLite is Go here, and filling a long journal with the race detector
// in it takes minutes.
const underRace = true
