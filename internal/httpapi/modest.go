package httpapi

import "net"

// unread is how many bytes the kernel is to keep for a client that does not take
// them; it keeps about twice that. Left alone it keeps megabytes, and a container
// is charged for them: a hundred event streams nobody reads would cost it its life.
const unread = 64 << 10

// modest is a listener whose connections hold little that was not taken.
type modest struct{ net.Listener }

// Accept implements net.Listener.
func (l modest) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		_ = tcp.SetWriteBuffer(unread) // without, it is as before
	}
	return conn, err
}
