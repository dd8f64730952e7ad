package postgres

import (
	"context"
	"database/sql"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	dialTimeout = 5 * time.Second
	// A peer that is gone without a word is noticed after some 20 s.
	keepIdle, keepInterval, keepCount = 10 * time.Second, 3 * time.Second, 3
	unackedMost                       = 20 * time.Second
	tcpUserTimeout                    = 18 // TCP_USER_TIMEOUT of Linux
)

// dialer makes connections to the database, as its address is at that moment.
type dialer struct {
	o      Options
	origin string // tells our notifications from those of others
}

func newDialer(o Options) (*dialer, error) {
	d := &dialer{o: o, origin: upload.NewUUID(o.Now())}
	_, err := d.config()
	return d, err
}

// config reads the address. Every connection says whose it is, gives up
// transactions that we have forgotten, and holds times in one way.
func (d *dialer) config() (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(d.o.URL())
	if err != nil {
		return nil, errURL
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = dialTimeout
	}
	if _, named := c.RuntimeParams["application_name"]; !named {
		c.RuntimeParams["application_name"] = "hqms-sidecar"
	}
	c.RuntimeParams["hqms.origin"] = d.origin
	c.RuntimeParams["idle_in_transaction_session_timeout"] = "10000" // ms
	c.RuntimeParams["default_transaction_isolation"] = "read committed"
	c.DialFunc = dial
	return c, nil
}

// pool is the connections of all but the listener.
func (d *dialer) pool() *sql.DB {
	c, _ := d.config() // newDialer has read it
	db := stdlib.OpenDB(*c, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
		now, err := d.config()
		if err != nil {
			return err
		}
		*c = *now
		return nil
	}))
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(idleConns)
	db.SetConnMaxIdleTime(idleTime)
	return db
}

// connect makes a connection outside of the pool.
func (d *dialer) connect(ctx context.Context) (*pgx.Conn, error) {
	c, err := d.config()
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, c)
}

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepIdle, Interval: keepInterval, Count: keepCount},
		Control: func(network, _ string, c syscall.RawConn) error {
			if !strings.HasPrefix(network, "tcp") {
				return nil
			}
			return c.Control(func(fd uintptr) { // where the system has no such option, keep-alive must do
				_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unackedMost.Milliseconds()))
			})
		},
	}
	return d.DialContext(ctx, network, addr)
}

// rebind turns ? into $1, $2, … and ?1, ?2, … too; no query of the journal has a ? in a text.
func rebind(query string) string {
	var b strings.Builder
	b.Grow(len(query) + 16)
	n := 0
	for {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		if query = after; query == "" || query[0] < '0' || query[0] > '9' { // else it has its number
			n++
			b.WriteString(strconv.Itoa(n))
		}
	}
}
