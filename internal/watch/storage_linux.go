package watch

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// storages are the file systems known by the number that statfs gives.
var storages = map[uint32]storage{
	0xEF53:     {name: "ext4", local: true},
	0x58465342: {name: "xfs", local: true},
	0x9123683E: {name: "btrfs", local: true},
	0x01021994: {name: "tmpfs", local: true},
	0x794C7630: {name: "overlay", local: true},
	0xF2F52010: {name: "f2fs", local: true},
	0x2FC12FC1: {name: "zfs", local: true},
	0x6969:     {name: "nfs", network: true},
	0x517B:     {name: "smb", network: true},
	0xFF534D42: {name: "smb", network: true},
	0xFE534D42: {name: "smb", network: true},
	0x65735546: {name: "fuse", network: true},
	0x01021997: {name: "9p", network: true},
	0x00C36400: {name: "ceph", network: true},
	0x47504653: {name: "gpfs", network: true},
	0x0BD00BD0: {name: "lustre", network: true},
	0x5346414F: {name: "afs", network: true},
	0x6B414653: {name: "afs", network: true},
}

// storageOf says what dir is on.
func storageOf(dir string) storage {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return storage{}
	}
	magic := uint32(st.Type) //nolint:gosec // magic numbers are 32 bits, sign-extended on some platforms
	if s, ok := storages[magic]; ok {
		return s
	}
	return storage{name: fmt.Sprintf("0x%x", magic)}
}
