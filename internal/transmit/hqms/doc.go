// Package hqms speaks the HQMS auto-docking interface: the machine interface of
// the national platform as vendor demonstration clients and hospital systems
// use it. Nobody who wrote this could reach the live service, so:
//
//   - What was observed of those clients is done exactly so: the three paths
//     under the server's URL, the token per file, the zip as a raw body with
//     Content-Length and a multipart content type that it is not, the coding
//     parameters rc020 and rc021, isDev=1.
//   - What is not known is a setting in [Wire], with the default that the
//     clients' behaviour makes most likely.
//   - Answers are read leniently in their types (a status may be "4" or 4) and
//     strictly in their meaning (no counts, no acceptance).
//
// The password travels in the query of the token request, and the token, which
// is the key to the result, in the others. So no error of this package holds a
// URL, and none repeats a text made by the network stack or by the server: an
// error is put together here from fixed words, a status code, a system error
// number. The server's own words go into [upload.Receipt] and [upload.Refusal],
// for the operator's eyes. Redirects are followed for GET within the same host
// and port alone, without a Referer.
//
// No time-out is absolute on a long upload. A watchdog ends a request that
// makes no progress: no connection in time, no byte of the body taken for a
// while, no whole answer in time after the body.
package hqms
