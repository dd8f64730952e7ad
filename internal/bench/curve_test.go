package bench

import (
	"fmt"
	"math"
	"time"
)

// curve is how a time grows with a number.
type curve struct {
	n []float64
	t []time.Duration
}

func (c *curve) add(n int, t time.Duration) { c.n, c.t = append(c.n, float64(n)), append(c.t, t) }

// last is the time at the largest number, in milliseconds.
func (c *curve) last() float64 { return ms(c.t[len(c.t)-1]) }

// growth is how many times the first time the last one is.
func (c *curve) growth() float64 { return float64(c.t[len(c.t)-1]) / float64(c.t[0]) }

// fit tells the points, and the exponent k of the t = a·nᵏ that fits them best.
func (c *curve) fit() string {
	var x, y, xx, xy float64
	points := ""
	for i, n := range c.n {
		lx, ly := math.Log(n), math.Log(float64(c.t[i]))
		x, y, xx, xy = x+lx, y+ly, xx+lx*lx, xy+lx*ly
		points += fmt.Sprintf("%.0f: %s ms, ", n, short(ms(c.t[i])))
	}
	k := float64(len(c.n))
	return fmt.Sprintf("%st ~ n^%.2f", points, (k*xy-x*y)/(k*xx-x*x))
}
