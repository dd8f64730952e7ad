// Package config reads the configuration: environment variables, and nothing
// else. One struct, [Config], says every variable with its default and bounds;
// docs/configuration.md is generated from it, so the two cannot drift apart.
//
// Invariants:
//   - All faults are reported at once, each with its variable, what is wrong and
//     what to do, in Chinese and English.
//   - A variable that is accepted works. One that looks like ours but is not (a
//     misspelling, or one this version does not support) stops the start with a
//     suggestion; it is never silently ignored.
//   - No secret is ever printed: a [Secret] shows only whether it is set, and no
//     fault repeats the value of a variable that may hold one.
//   - Secrets given as files are followed while the program runs, by content
//     ([Secrets]); an unreadable, empty or half-written file keeps the old value.
//
// The library caarlos0/env does the walking and the defaults; it is used here
// and nowhere else.
package config
