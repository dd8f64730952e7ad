// Package architecture holds no code: its test is the plan of the house, which
// package may import which, and fails with the reason when a wall is broken.
package architecture
