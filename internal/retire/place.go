package retire

import (
	"path"
	"time"
	"unicode/utf8"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Names in the watched directory begin with a dot: no watcher takes them.
const (
	prefix         = ".hqms-"
	asideSuffix    = ".aside"
	restoreSuffix  = ".restore"  // being copied
	restoredSuffix = ".restored" // copied whole, about to get its name
)

const (
	deletedDir = "deleted"
	changedDir = "changed"
	partName   = ".part"
	jsonSuffix = ".result.json"
	textSuffix = ".result.txt"
	// maxName is the most bytes a file name may have on any file system we know.
	maxName = 255
)

func asideName(id upload.ID) string    { return prefix + string(id) + asideSuffix }
func restoredName(id upload.ID) string { return prefix + string(id) + restoredSuffix }
func restoreName(id upload.ID) string  { return prefix + string(id) + restoreSuffix }
func tombstone(id upload.ID) string    { return path.Join(deletedDir, string(id)) }
func tombstonePart(id upload.ID) string {
	return path.Join(deletedDir, "."+string(id))
}

// dirOf is the directory of the upload's own in the archive or the quarantine.
func dirOf(place upload.Place, u upload.Upload) string {
	return path.Join(string(place), string(u.Channel), u.SpottedAt.UTC().Format(time.DateOnly), string(u.ID))
}

func pathOf(place upload.Place, u upload.Upload) string {
	return path.Join(dirOf(place, u), u.Filename)
}

// changedPathOf is where content goes that is not what was sent and whose name
// has been taken meanwhile.
func changedPathOf(u upload.Upload) string {
	return path.Join(dirOf(upload.InQuarantine, u), changedDir, u.Filename)
}

// resultName is the name of a result file beside filename; a name too long for
// it is cut between two characters.
func resultName(filename, suffix string) string {
	room := maxName - len(suffix)
	if len(filename) > room {
		for room > 0 && !utf8.RuneStart(filename[room]) {
			room--
		}
		filename = filename[:room]
	}
	return filename + suffix
}
