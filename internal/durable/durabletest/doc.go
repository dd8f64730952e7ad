// Package durabletest helps tests to break package durable: at every operation
// in turn, or always at one kind of operation, or by a real small file system.
//
// A crash is simulated by letting one operation and every one after it fail:
// what is on the disk is then what a killed process would have left, since even
// its cleaning up no longer happens.
package durabletest
