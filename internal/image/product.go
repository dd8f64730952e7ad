package image

import "time"

// user is who owns the programs' data in the images, and who runs them.
const user = 65532

// Product is one of the images.
type Product struct {
	Name        string   // of the image and its program
	Description string   // one line
	Data        string   // the directory the program writes to
	Folders     []string // further directories of the user's
	Ports       []string // "8080/tcp"
	Volumes     []string
	Health      time.Duration // between two health checks
}

// Products are the images there are: two, so that what runs beside patients' data
// has nothing in it that is for trying.
func Products() []Product {
	return []Product{
		{
			Name: "hqms-sidecar", Description: "Docks HQMS and influenza surveillance files from a HIS export volume",
			Data: "var/lib/hqms", Ports: []string{"8080/tcp"}, Volumes: []string{"/var/lib/hqms"}, Health: 15 * time.Second,
		},
		{
			Name: "hqms-sandbox", Description: "A docking server to try hqms-sidecar against, and a make-believe HIS",
			Data: "var/lib/hqms-sandbox", Folders: []string{"export", "export/flu", "export/hqms"}, Ports: []string{"9090/tcp"}, Health: 10 * time.Second,
		},
	}
}

// Platforms are what there are images for.
func Platforms() []string { return []string{"amd64", "arm64"} }

// Release is what is being made.
type Release struct {
	Version  string
	Revision string    // of the source: a commit
	Created  time.Time // the commit's
}
