// Package chaos holds no code: its test lets everything break at once, for
// minutes, and then asks whether anything was lost, doubled or passed over.
//
// The built sidecar works between a make-believe HIS, which writes files in
// several manners, and the built sandbox behind a cutting proxy. Meanwhile the
// sidecar is killed, terminated and stopped; connections are refused, reset,
// slowed and cut; the server fails, forgets answers and goes away; its password
// changes in the midst of uploads; the disk fills up; directories become
// read-only or forbidden; the clock is set, by seconds or a day, forth or back, in
// mid-flight and over a kill. What happens when is drawn from a seed: the test
// prints it, and HQMS_CHAOS_SEED plays the same schedule again (the same moves
// in the same order with the same pauses; the machine decides how they fall on
// the sidecar's own steps).
//
// At the end everything is mended, and this must hold:
//
//   - Every file that the exporter finished came to the verdict it was made for,
//     once: the sandbox, told to take duplicates, stored each content once,
//     byte for byte, and nothing else.
//   - Each original is in exactly one place, the one the journal names, and left
//     the watched directory only after its verdict was on record.
//   - The sidecar never ended by itself, ends in order on SIGTERM, and leaves
//     an empty spool.
//   - Its memory and goroutines have not grown over the last part of the run, in
//     which it is not killed.
//   - The faults were really seen: in a short run one at least, the last blow,
//     which lasts until the sidecar has said that it met it.
//
// HQMS_CHAOS is how long it goes on (15m for the long form). Without root some
// faults of the ground (full disk, read-only and forbidden directories) are
// left out, and said to be. A process cannot be given a clock of its own from
// outside, so while it is killed the sidecar is this test's own binary, which is
// the program with a clock that the test sets (app.Seams); in the last part it is
// the shipped one, by the true clock. The clock is set over every pause and
// deadline but RESULT_DEADLINE and the retentions: what these do is meant.
package chaos
