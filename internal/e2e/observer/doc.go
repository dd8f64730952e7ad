// Package observer is the early-delete detector of the black-box tests: it sees
// every file that leaves a watched directory, with the time, and at the end
// holds that against the journal. An original that was gone before its verdict
// was on record fails the test.
//
// It knows of the directories from the kernel (inotify) and of the verdicts from
// the journal's events and the recovery log alone, never from the program's own word in between. A
// run in which the kernel lost events proves nothing and fails, too.
package observer
