package bench

import (
	"io"
	"net"
	"testing"
	"time"
)

// A line that is quicker than it says flatters what is measured behind it.
func TestALineIsNeverQuickerThanItSays(t *testing.T) {
	t.Parallel()
	echo, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	l := &line{to: echo.Addr().String(), speed: 1e6, delay: 20 * time.Millisecond}
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.serve(t.Context(), t))
	must(t, err)
	defer c.Close()
	there := func(n int) time.Duration {
		began := time.Now()
		go func() { _, _ = c.Write(make([]byte, n)) }()
		_, err := io.ReadFull(c, make([]byte, n))
		must(t, err)
		return time.Since(began)
	}
	there(1) // the connection is there
	for _, rest := range []time.Duration{0, caughtUp / 2, 2 * caughtUp} {
		passing(rest)
		if took := there(1); took < 2*l.delay {
			t.Errorf("there and back after %v of rest: %v", rest, took)
		}
	}
	passing(2 * caughtUp)
	if took := there(400e3); took < 400*time.Millisecond+2*l.delay-time.Millisecond {
		t.Errorf("400 KB at 1 MB/s: %v", took)
	}
}
