// Package pipeline moves uploads from stage to stage. It names no stage: the
// list of stages is handed to it, and each says from which state it starts.
//
// For every channel there are three crews of lanes. The heavy crew (as many lanes
// as CONCURRENCY says) runs stages that move bytes; the light crew runs those
// that only look, so that a file is taken at once however slow the server is; the
// asking crew, of many lanes, waits for the server's word and puts away what it
// decided. A lane that is out of work claims the next due rows under a lease, for
// itself and for its fellows that are out of work, too; each runs the stage that
// starts from its row's state, records the outcome, and goes on with the same row
// for as long as the next stage is its own.
//
// What a stage made that costs little to make again is recorded together with the
// outcome of the stage after it, in one change with an event for each ([Stage.Joins]):
// a crash between the two finds the row as it was before the first.
//
// The lane does not wait for the last outcome of an upload to be recorded, but takes
// the next one: CONCURRENCY bounds the stages at work, and once more the outcomes that
// wait for the journal.
//
// Model of failure:
//   - A stage's error is classified by the stage and decided upon here, and
//     here alone: passing faults are retried with backoff, local faults are
//     held, refused credentials wait for the channel's gate, permanent faults
//     park the upload.
//   - The lease is renewed while a stage runs. If it is lost (another replica
//     or an operator took the row), the stage's context ends and its result is
//     dropped: the journal's fence would refuse it anyway.
//   - An upload is never in two hands of one process, whatever the clock does to
//     its lease: who claims it anew ends the former stage and waits for it.
//   - Results are recorded under a context that outlives the shutdown signal.
//     A stage that was interrupted leaves its row as it was, lease released.
//   - An unreachable journal is waited for; a lane never ends but by Run's
//     context.
//   - A panic in a stage is a fault of ours: it is caught, logged with its
//     stack and treated as a passing internal fault of that one upload.
package pipeline
