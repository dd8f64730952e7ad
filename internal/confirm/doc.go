// Package confirm is the stage that follows a sent upload to its verdict: it
// asks the server once per run, and either decides, or has itself run again
// after a pause.
//
// What the answers mean:
//
//   - Done: the verdict is the server's.
//   - Working: ask again, with pauses growing from PollMin to PollMax.
//   - Duplicate: the server has this content from before. If an earlier ticket
//     of the same content is done, its result is taken; if one is still being
//     worked on, it is waited for; else the verdict is duplicate, a good end.
//   - Unknown, after an upload whose answer arrived: ask again.
//   - Unknown, after an upload whose answer was lost: three such answers in a
//     row, over at least Grace, mean that it did not arrive; it goes back to be
//     sent again. The Grace is counted by this process alone, on its steady
//     clock: a clock that is set must not shorten it.
//
// Working and unknown answers end with the Deadline: the delivery is unresolved,
// the file is kept and an operator is told. The deadline is looked at only when
// the server answers, and only when it answered the time before too: being
// offline never ends an upload, however long.
package confirm
