// Package journal is the durable record of every upload: one row for each, with
// a lease and a fencing token, an event row for every change, the tickets the
// server issued, the findings of validation and the standing of each channel.
//
// The SQL lives here once, over database/sql; what differs between databases is
// a small [Dialect]. A package beside this one (sqlite) opens a database, brings
// its schema up to date and calls [New]; package journaltest is the suite that
// every one of them must pass.
//
// # Model
//
//	Spot ──▶ spotted ──Claim──▶ (lease, fence n) ──Record──▶ next state ─ … ─▶ final
//	                                │
//	                     KeepTicket · Renew · Release
//
// The right to work on an upload is a lease on its row: an owner, an end, and a
// fence that grows with each claim. A lease that has run out is simply claimed
// again. Whoever held it before carries an older fence, so that whatever it
// still tries to write fails with [ErrLeaseLost]: a worker that slept through
// its lease cannot overwrite what its successor did. An operator's outcome
// ([Journal.Act]) takes the lease away in the same manner.
//
// # Invariants
//
//   - Nobody writes a state: Record and Act apply a named upload.Outcome to the
//     row as it is in the database, in one transaction with the event row, the
//     findings, the ticket's fate and an adoption.
//   - The database repeats the law in CHECKs, triggers and unique indices: the
//     closed sets, verdict exactly in decided and retired, finished_at exactly in
//     final states, one open upload per channel and file name, one holder per
//     channel and content, a fence that never shrinks, leases on open rows only.
//   - Outcomes that follow one another may be one change ([Journal.RecordAll]); each
//     is applied, checked and told of in an event as if it came alone.
//   - A repeated hold or poll for the same reason adds no event row.
//   - Event numbers grow and are never used again, so that a reader can go on
//     from the last one it has seen.
//   - Times are whole nanoseconds since the Unix epoch, UTC; no time is NULL. They are
//     of one clock, [Journal.Now]: whoever gives a time, or compares one, takes it there.
//   - Indices that claims use hold open rows only: a million finished rows cost
//     a claim nothing.
//
// # What outlives an upload
//
// [Journal.Prune] removes finished uploads whose original is no longer in our
// keeping. Of an upload whose content the server has, a row in delivered stays
// for good (channel, digest, upload, verdict, time: about 150 bytes), so that
// the content is not sent again, however long ago it was. Uploads that still
// hold their content without such a verdict (cancelled in flight, unresolved)
// are never pruned: their ticket is the only way to ask the server.
//
// # Failures
//
// A write that cannot be made durable is an *upload.Fault of class Local
// (disk_full, journal_unavailable); nothing of it is in the journal then. A
// broken page is [ErrDamaged]. Both leave the process running.
package journal
