package upload

import "time"

// Sighting is a file of one of our kinds, seen in a watched directory.
type Sighting struct {
	Channel  Channel
	Kind     Kind
	Filename string
	Seen     Identity
	BatchID  string    // given to the upload if one begins
	Forced   bool      // an operator asks for it, also if the content is known
	Complete bool      // nobody writes to it any more: an upload that begins is settled at once
	At       time.Time // when it was seen; an upload that begins is due from then on
}

// Spotting says what became of a sighting.
type Spotting string

// The spottings.
const (
	// Began: a new upload began, in state spotted.
	Began Spotting = "began"
	// Underway: an open upload of this file exists; its row is given.
	Underway Spotting = "underway"
	// Known: this very content was dealt with and left in place (kept, failed,
	// cancelled); its row is given.
	Known Spotting = "known"
)

// Knows reports whether a file seen with identity now is the content that u,
// the latest upload of that name, was about and left in place.
func (u Upload) Knows(now Identity) bool {
	if u.State == StateRetired && u.Reason == RestoredAsFile {
		now.ChangeTime = 0
		return u.Source == now
	}
	if u.Source != now {
		return false
	}
	switch u.State {
	case StateFailed, StateCancelled:
		return true
	case StateRetired:
		return u.Place == InWatch
	default:
		return false
	}
}

// Spotted is the answer to a Sighting: the upload concerned, and what it is to
// it; or why the sighting could not be written down.
type Spotted struct {
	Upload Upload
	How    Spotting
	Err    error
}
