// Package channel keeps the standing of one channel: whether deliveries may
// begin now, and if not, why and until when.
//
//	unconfigured   no account or password
//	paused         by an operator; lasts over restarts
//	blocked        by our surroundings (disk, permission), as the app tells
//	refused        the server refused the credentials
//	offline        the server cannot be reached
//	ok
//
// Several may be true at once; the first of this list is shown. Paused, refused
// and unconfigured close the channel: uploads wait, no attempt is counted.
// Offline closes nothing (each upload has its own backoff; the first call that
// succeeds wakes the others), and neither does blocked: what has been packed
// can still be delivered.
//
// # Refused credentials
//
// Nobody knows when the national server locks an account, so a wrong password
// must not be hammered:
//
//   - While the credentials are unproven (at the start, after a change) or
//     refused, only one admission is under way at a time; those behind it find
//     the channel closed if it is refused.
//   - Refused credentials are asked about again at most once per RefusedRetry and
//     RefusedPerDay times a day. The asking is counted in the store before it
//     is made, so that neither a crash nor a restart loop can exceed it; it is
//     given back when the server was certainly not reached.
//   - An operator's test asks at once, and so does a change of the credentials,
//     which is seen by their hash.
//
// The store holds what must outlast a restart. If it cannot be written, refused
// credentials are not tried.
package channel
