// Package licences knows under which licences the modules stand that are built into
// the programs. Its two files are generated from the modules themselves: licences.csv
// (module, SPDX identifier) is what the bill of materials says, and
// THIRD_PARTY_LICENSES.txt holds the texts, which go with every image, since most of
// the licences ask for that. `make verify` fails when a module came, went or changed
// its licence; a text that is not recognised fails the generation: it has to be read.
package licences
