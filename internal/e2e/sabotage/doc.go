// Package sabotage makes a sidecar with a saboteur in it, for black-box tests:
// one that kills itself at its k-th operation, or whose disk is full for a while
// from there on. It contains no product code and is in none of the product's
// binaries; the program beside it is built without the race detector, under which
// programs start slowly, and the tests' own binary can be one as well.
package sabotage
