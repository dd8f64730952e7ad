// Package transmittest is the one conformance suite that every docking protocol
// must pass: the four questions of transmit.Protocol against a server that works,
// and each of them against each way in which servers and networks fail.
//
// An implementation's test provides a [Subject]: a working server of its protocol
// as an http.Handler, and a maker of clients. The suite puts a [Server] around
// the handler, which fails on request at a chosen step, and asserts what the
// contract promises: the reason and class of each fault, how far a body got, the
// server's wish to wait, that nothing is sent to where a redirect points, and
// that no secret and no word of the server is in any error or log line.
package transmittest
