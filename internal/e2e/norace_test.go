//go:build !race

package e2e

const thinned = 1
