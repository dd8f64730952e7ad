// Package pace says when and how fast may be sent: a timetable of the week
// ([Week]), rates that may depend on it ([Limits]), and the bucket that holds
// all senders together to a rate ([Bucket]).
//
// A timetable is read by the local clock, minute by minute: what the clock on
// the wall says decides. Where summer time skips an hour, what would begin in it
// begins when the hour is over; an hour that comes twice is inside twice.
//
// Invariants:
//   - Over any stretch of time the bucket gives out at most rate × time plus one
//     burst ([Burst]), however many take from it and however long it was idle.
//   - Who asks first is served first: none starves, and with n senders nobody
//     waits for more than n pieces.
//   - A context that ends is no error here: the wait is over, and whoever sends
//     finds out by itself.
package pace
