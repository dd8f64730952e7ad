// Package calendar knows which files are due by when, and whether they came: so
// that somebody hears of it when nothing happens.
//
// A [Plan] is what HQMS_EXPECT or FLU_EXPECT says: clauses, each a rhythm, a time
// of the day and kinds of files. A [Ruler] lays it out on real days: a time zone
// with its daylight saving, and [Holidays] with the working days that make up for
// them. [Assess] compares deadlines with what was delivered. [Keeper] does all
// that again and again, and tells once of each change.
//
// # Which period an upload belongs to
//
// File names are not standardised, so only the time tells. The deadlines of a
// kind, of all clauses together, cut time into periods, each from behind the
// deadline before to its own. An upload belongs to the period it was spotted in.
// The exception is what comes late: where nothing came for a period, what is
// spotted in the first half of the period after it belongs to the missed one. So a file
// that comes an hour late ends the alarm, and does not hide that
// nothing comes the next time; and a file that comes at its usual time, shortly
// before the next deadline, is not taken for the missed one. A deadline should
// therefore be set not long after the export's usual time.
//
// # What has arrived
//
// A period's file has arrived when the server has it: verdict accepted, partially
// accepted (the rest has an alarm of its own) or duplicate. On its way is not
// arrived: a file that waits for a dead server at its deadline is late.
//
// # Invariants
//
//   - The same journal gives the same assessment; nothing is counted along.
//   - What was told is kept beside the journal, so that a restart repeats
//     nothing; one replica at a time looks.
//   - A deadline before the calendar began to be kept for its kind is no fault of anybody.
//   - A time of the day that the clock skips is that much later; one that comes
//     twice is the later one.
package calendar
