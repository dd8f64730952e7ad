// Package transmit is the stage that takes a packed upload to the channel's
// server: it asks for permission, makes the permission durable, sends the bytes,
// and says how far they got. It knows no protocol: a [Protocol] answers four
// questions (may I send? here it is; has it arrived? what became of it?), and
// each lives in a package of its own below this one, held to the same contract
// by transmittest.
//
// What must hold, through any crash and any lost answer:
//
//   - No byte of a body leaves before its ticket is durable, so that there is
//     always something to ask the server about.
//   - A ticket whose bytes may have arrived is never followed by a second
//     sending here: the upload passes on as sent, and confirm asks. Only a body
//     that was certainly not written whole is sent again, under a new ticket,
//     after the server has been asked about the old one.
//   - What the journal says of the packed bytes is what was sent: of a copy that is
//     made smaller on its way it has the size with the ticket, and the digest when
//     it has been sent.
//   - A channel that is closed (paused, or its credentials refused) makes the
//     upload wait without an attempt being counted.
//
// The stage ends with one of these: sent (answered, or perhaps), broken off
// (with a pause of its own), decided (the server refused this very upload),
// resettled (the packed copy is lost), held (channel closed), or a fault for
// the pipeline.
package transmit
