// Package sandbox is a docking server to try against: it speaks the HQMS
// auto-docking interface (token, upload, result) for both channels, checks what
// arrives against the same standards as the sidecar does, and misbehaves on
// request. HIS vendors run it to try their exports; our own tests use it as the
// server and as the oracle of what the server saw.
//
// A delivery's way:
//
//	gettoken ─▶ upload ─▶ queue ─▶ unpack ─▶ check ─▶ save ─▶ result
//	                      0        1         2        3       4 done, 5 failed, 6 duplicate
//
// Each channel has one queue, worked off in the order of arrival. [Server] is an
// [net/http.Handler]; the protocol answers under any base path, and a path
// segment "flu" or "hqms" says which channel is meant.
//
// Invariants:
//   - A token, an arrival and a verdict are durable before anybody is told of
//     them (when Options.Dir is given): a kill at any moment loses nothing that
//     was answered. What was queued is queued again at the next start, in the
//     same order.
//   - A content (SHA-256 of the CSV, per account and channel) that was stored in
//     whole or in part is answered with status 6 when it comes again.
//   - What arrives is hostile: exactly one plain entry is accepted, sizes are
//     bounded before and while unpacking, no name from outside ever becomes a
//     path, and pages escape everything.
//   - No cell's value is kept, logged or shown: counts, digests, rule ids, rows
//     and columns only. No password is ever logged, nor is any query string.
//
// Failures: a full disk makes an upload answer 503 and leaves nothing behind; a
// journal torn by a kill is cut back to its last whole line at the next start.
package sandbox
