package exporter

import (
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Manner is a way of writing a file.
type Manner string

// The manners.
const (
	// InOneGo creates the file under its name and writes it without a pause.
	InOneGo Manner = "in one go"
	// Renamed writes it under <name>.tmp and renames it into place.
	Renamed Manner = "renamed into place"
	// Slowly keeps the file open and appends to it with pauses.
	Slowly Manner = "slowly"
	// Reopened closes the file after each portion and opens it again after a pause.
	Reopened Manner = "reopened for each portion"
)

// The endings of the names by which the sandbox is asked for a bad end; its
// default rules -reject and -partial fit them.
const (
	rejectEnding  = "_reject"
	partialEnding = "_partial"
)

// feed is one file of a run.
type feed struct {
	channel upload.Channel
	kind    upload.Kind
	layout  string // id of the standard; empty: the channel's first
	charset string
	bom     bool
	manner  Manner
	ending  string
	expect  upload.Verdict
}

const (
	charsetUTF8 = "utf-8"
	charsetGB   = "gb18030"
)

func plan() []feed {
	return []feed{
		{channel: upload.Flu, kind: "flu", charset: charsetUTF8, manner: Renamed, expect: upload.Accepted},
		{channel: upload.Flu, kind: "hqms", charset: charsetGB, manner: InOneGo, expect: upload.Accepted},
		{channel: upload.Flu, kind: "hda", charset: charsetGB, manner: Renamed, expect: upload.Accepted},
		{channel: upload.Flu, kind: "hdr", charset: charsetGB, manner: InOneGo, expect: upload.Accepted},
		{channel: upload.Flu, kind: "pdr", charset: charsetUTF8, bom: true, manner: Reopened, expect: upload.Accepted},
		{channel: upload.Flu, kind: "lis", charset: charsetUTF8, manner: Slowly, expect: upload.Accepted},
		{channel: upload.HQMS, kind: "hqms", layout: "hqms-2020", charset: charsetGB, manner: Renamed, expect: upload.Accepted},
		{channel: upload.Flu, kind: "flu", charset: charsetGB, manner: InOneGo, ending: rejectEnding, expect: upload.Rejected},
		{channel: upload.Flu, kind: "lis", charset: charsetUTF8, manner: Renamed, ending: partialEnding, expect: upload.PartiallyAccepted},
	}
}

// library is the one given, or the embedded standards.
func library(given *standard.Library) (*standard.Library, error) {
	if given != nil {
		return given, nil
	}
	return standard.Load(nil)
}
