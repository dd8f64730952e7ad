// Package httpapi serves the API that openapi.yaml describes: where every file
// is and why, and the few things an operator can do about it.
//
// A request passes, in this order: the middleware handed in (telemetry),
// recovery from panics, security headers, access, the limit on bodies, the check
// against openapi.yaml, and the strict handler generated from it. Access comes
// before the check, so that somebody without a token learns nothing about the
// API's insides, and everything that has no rule in openapi.yaml is refused: a
// route that is not in the document is never reached.
//
// Invariants:
//   - Who may call what is said once, by "security" in openapi.yaml.
//   - Every error is an application/problem+json (RFC 9457), made in one place
//     out of one table; the cause of an internal error goes to the log alone.
//   - No answer and no log line holds a token, a server's delivery ticket, the
//     server's stack trace, or the user and query part of a server URL.
//   - Memory is bounded per request and per event stream, whatever the client
//     does or leaves undone.
//
// The package defines the narrow interfaces it needs ([Journal], [Feed],
// [Operator], …); the composition root fits the rest of the program to them.
package httpapi
