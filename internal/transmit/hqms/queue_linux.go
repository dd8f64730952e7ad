package hqms

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// maxQueue is how much of a body the kernel may hold that it has not sent.
const maxQueue = 256 << 10

// keepQueueShort makes "taken by the connection" mean nearly "sent": otherwise
// the kernel swallows megabytes at once, which on a slow line take minutes to
// leave, while the watchdog believes the body to be out.
func keepQueueShort(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// Refused by an old kernel: then the watchdog is only less exact.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxQueue)
	})
}
