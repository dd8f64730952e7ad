// Package synthetic makes files of invented patients that meet a standard:
// for demonstrations, tests and benchmarks. Nothing in them is of a person;
// names, numbers and diagnoses are put together from lists at random.
//
// A file is wholly determined by its options: the same seed gives the same
// bytes. Rows are made from the standard's data (types, dictionaries,
// conditions, sums, orders) around a small model of one visit, so that they
// hang together: the identity number fits birth date and sex, the stay fits
// its days, the total its items. That also makes them a check of the checks: a
// row from here that raises a finding shows a fault on one of the two sides.
package synthetic
