package httpapi

import (
	"net/netip"
	"sync"
	"time"
)

const (
	allowedAttempts = 10              // wrong tokens in a row
	attemptRegrows  = 6 * time.Second // and one more after this
	rememberedHosts = 4096
)

// attempts counts wrong tokens by client address: ten at once, then one every
// six seconds. IPv6 clients count by their /64. Memory is bounded: when the table
// is full, addresses whose allowance has grown back are forgotten first, and if
// there are none, all.
type attempts struct {
	now func() time.Time

	mu   sync.Mutex
	full map[string]time.Time // when the address's allowance is whole again
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, full: map[string]time.Time{}}
}

// blocked gives how long the address must wait; 0: it may try.
func (a *attempts) blocked(client string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	whole, known := a.full[network(client)]
	if !known {
		return 0
	}
	return max(0, whole.Sub(a.now())-(allowedAttempts-1)*attemptRegrows)
}

// failed counts a wrong token.
func (a *attempts) failed(client string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, key := a.now(), network(client)
	if len(a.full) >= rememberedHosts {
		a.forget(now)
	}
	from := a.full[key]
	if from.Before(now) {
		from = now
	}
	a.full[key] = from.Add(attemptRegrows)
}

func (a *attempts) forget(now time.Time) {
	for k, whole := range a.full {
		if !whole.After(now) {
			delete(a.full, k)
		}
	}
	if len(a.full) >= rememberedHosts {
		clear(a.full)
	}
}

func network(client string) string {
	addr, err := netip.ParseAddr(client)
	if err != nil || addr.Unmap().Is4() {
		return client
	}
	p, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return client
	}
	return p.String()
}
