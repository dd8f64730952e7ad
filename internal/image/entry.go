package image

import (
	"fmt"
	"io/fs"
)

// entry is a file or, where its name ends with a slash, a directory of an image.
type entry struct {
	name string // without a slash in front
	mode fs.FileMode
	uid  int // the gid is the same
	data []byte
}

func (e entry) String() string { return fmt.Sprintf("%s %04o %d:%d", e.name, e.mode, e.uid, e.uid) }

// docs is where the papers are.
const docs = "usr/share/doc/hqms-sidecar/"

// base lists what every image has: who the user is, whom to trust, where to write
// what is fleeting, and the licences. Time zones are in the programs.
func base(authorities []byte, licence, thirdParty []byte) []entry {
	return []entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, data: []byte("root:x:0:\nhqms:x:65532:\n")},
		{name: "etc/passwd", mode: 0o644, data: []byte("root:x:0:0:root:/:/sbin/nologin\nhqms:x:65532:65532:hqms-sidecar:/:/sbin/nologin\n")},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: authorities},
		{name: "tmp/", mode: 0o1777},
		{name: "usr/", mode: 0o755},
		{name: "usr/share/", mode: 0o755},
		{name: "usr/share/doc/", mode: 0o755},
		{name: docs, mode: 0o755},
		{name: docs + "LICENSE", mode: 0o644, data: licence},
		{name: docs + "THIRD_PARTY_LICENSES.txt", mode: 0o644, data: thirdParty},
	}
}

// program lists what one image has besides. The directory of the data may be
// written to by its group, which any other user can be given.
func program(p Product, binary, materials []byte) []entry {
	all := []entry{
		{name: p.Name, mode: 0o755, data: binary},
		{name: docs + "sbom.cdx.json", mode: 0o644, data: materials},
		{name: "var/", mode: 0o755},
		{name: "var/lib/", mode: 0o755},
		{name: p.Data + "/", mode: 0o770, uid: user},
	}
	for _, folder := range p.Folders {
		all = append(all, entry{name: folder + "/", mode: 0o775, uid: user})
	}
	return all
}
