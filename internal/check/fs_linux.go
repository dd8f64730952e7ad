package check

import (
	"fmt"
	"syscall"
)

// fileSystem is what matters of the file system under a directory.
type fileSystem struct {
	name     string
	network  bool // other machines may write, locks may not hold
	fleeting bool // gone with the container or the machine's memory
}

// fileSystemOf asks the kernel; an unknown file system is taken for a local one.
func fileSystemOf(path string) fileSystem {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return fileSystem{name: "unknown"}
	}
	magic := uint32(st.Type) //nolint:gosec // magic numbers are 32 bits wide; some kernels sign-extend them
	switch magic {
	case 0x6969:
		return fileSystem{name: "nfs", network: true}
	case 0xff534d42, 0xfe534d42, 0x517b:
		return fileSystem{name: "smb", network: true}
	case 0x00c36400:
		return fileSystem{name: "ceph", network: true}
	case 0x01021997:
		return fileSystem{name: "9p", network: true}
	case 0x65735546:
		return fileSystem{name: "fuse", network: true}
	case 0x01021994:
		return fileSystem{name: "tmpfs", fleeting: true}
	case 0x794c7630:
		return fileSystem{name: "overlay", fleeting: true}
	case 0xef53:
		return fileSystem{name: "ext4"}
	case 0x58465342:
		return fileSystem{name: "xfs"}
	case 0x9123683e:
		return fileSystem{name: "btrfs"}
	default:
		return fileSystem{name: fmt.Sprintf("0x%x", magic)}
	}
}
