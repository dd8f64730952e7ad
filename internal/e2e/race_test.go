//go:build race

package e2e

// thinned is by how much fewer points the kills at file operations come under
// the race detector, whose programs start slowly; the tests without it take all.
const thinned = 3
