package bench

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// line is a link of some speed and delay before a server: what is sent through it
// arrives no faster than that, in each direction, and so much later. It counts the
// bytes of the connection's payload, not those of packets' headers.
type line struct {
	to    string
	speed float64       // bytes per second
	delay time.Duration // one way

	mu   sync.Mutex
	free [2]time.Time // when each direction is free again
}

// serve makes the line and gives the address to connect to.
func (l *line) serve(ctx context.Context, t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.connect(ctx, conn.(*net.TCPConn)) //nolint:forcetypeassert // a TCP listener's
		}
	}()
	return listener.Addr().String()
}

// connect joins a connection to one of its own, both with little room in the
// kernel: what waits there is sent as far as the sender knows.
func (l *line) connect(ctx context.Context, in *net.TCPConn) {
	defer in.Close()
	_ = in.SetReadBuffer(32 << 10)
	c, err := new(net.Dialer).DialContext(ctx, "tcp", l.to)
	if err != nil {
		return
	}
	out := c.(*net.TCPConn) //nolint:forcetypeassert // dialled as TCP
	defer out.Close()
	passing(2 * l.delay) // a connection is there after one way and back
	var both sync.WaitGroup
	both.Go(func() { l.carry(0, out, in) })
	both.Go(func() { l.carry(1, in, out) })
	both.Wait()
}

// piece is what arrives at a time.
type piece struct {
	bytes []byte
	at    time.Time
}

// carry carries one direction to its end.
func (l *line) carry(direction int, to, from *net.TCPConn) {
	// As much may be under way as the line holds, and a little more.
	pieces := make(chan piece, 4+int(l.speed*l.delay.Seconds()/carried))
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, carried)
			n, err := from.Read(buf)
			if n > 0 {
				sent := l.send(direction, n)
				passing(time.Until(sent))
				pieces <- piece{buf[:n], later(sent, time.Now()).Add(l.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		passing(time.Until(p.at))
		if _, err := to.Write(p.bytes); err != nil {
			_ = from.CloseRead()
		}
	}
	_ = to.CloseWrite()
}

// later is the later of two moments.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// passing lets time pass: it is what a line is made of.
func passing(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

const (
	// carried is how much is carried in one go.
	carried = 4 << 10
	// caughtUp is what the line makes up for where we were late, in bytes and not in
	// delay: a busy machine is no slower line. After a longer pause it was at rest.
	caughtUp = 100 * time.Millisecond
)

// send takes the line for n bytes, and gives the moment at which they are out.
func (l *line) send(direction, n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.free[direction].Before(now.Add(-caughtUp)) {
		l.free[direction] = now
	}
	l.free[direction] = l.free[direction].Add(time.Duration(float64(n) / l.speed * float64(time.Second)))
	return l.free[direction]
}
