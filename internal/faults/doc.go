// Package faults holds no code: its test is the table of what each fault of a
// server or network, at each step of the docking protocol, does to an upload.
//
// Every row is made by a run: the real stages (pack, transmit, confirm), the
// pipeline and the SQLite journal, over real connections, against the sandbox
// behind a server that fails on request; only the clock is virtual. The rows are
// compared with docs/faults.md and docs/faults.zh-CN.md, which the same test
// writes when told to (-update).
//
// What must hold in every row, whatever the table says: the content is stored at
// most once; the upload ends with a verdict and is never parked; what is said to
// be accepted is at the server; the next look comes within the bounds that the
// settings give; nothing is logged above warning, and the second time the same
// fault strikes nothing above debug.
package faults
