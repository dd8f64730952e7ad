// Package alert tells people what is the matter, and tells them again until
// somebody has seen it or it is over.
//
// An alert has a key (event, channel, kind, subject); at most one alert of a key
// is open. [Book] opens and ends alerts: [Book.Raise] and [Book.Resolve] for one
// matter, [Book.Reconcile] for conditions that are looked at again and again, and
// [Book.Follow] for what the journal's events say about files. [Sender] sends what
// is due to one receiver, in the form that the receiver wants ([Format]).
//
// Two sorts of alerts: a condition (the server is away, the disk is full) is over
// when it is over; an alert about files (rejected, invalid …) is over when each of
// them was accepted under its name, or when somebody acknowledged it. What
// happens again within the time of a group goes into the same message.
//
// Invariants:
//   - What is raised is in the journal before anybody is told, and the events of
//     files are taken from the journal with a cursor moved in the same transaction:
//     nothing is lost and nothing counted twice, whatever crashes.
//   - A message is sent under a claim with a fence. It arrives at least once: a
//     crash between the receiver's answer and the journal's commit sends it again.
//   - A message that does not arrive is tried for as long as it takes. Nothing
//     waits for the receiver but the sender.
//   - No message holds a cell's value, a server's own words, a token or a
//     password. A file's name is shown as the API shows it, made harmless for the
//     receiver's markup. The receiver's address is a secret: no error holds it.
package alert
