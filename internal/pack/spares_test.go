package pack

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/flate"
)

func TestSpareCompressorsAreFewAndLetGoOfAtRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s spares[*flate.Writer]
		for range mostSpares + 1 {
			w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
			if err != nil {
				t.Fatal(err)
			}
			s.put(w)
		}
		<-time.After(keptFor - time.Nanosecond) // virtual
		for i := range mostSpares + 1 {
			w, ok := s.take()
			if ok != (i < mostSpares) {
				t.Errorf("spare %d: %t", i, ok)
			}
			if ok {
				defer s.put(w)
			}
		}
		synctest.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		var s spares[*flate.Writer]
		w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		s.put(w)
		<-time.After(keptFor / 2) // virtual
		used, _ := s.take()
		s.put(used)
		<-time.After(keptFor - time.Nanosecond) // virtual
		if w, ok := s.take(); !ok {
			t.Error("let go of while it was in use")
		} else {
			s.put(w)
		}
		<-time.After(keptFor) // virtual
		synctest.Wait()
		if _, ok := s.take(); ok {
			t.Error("kept at rest")
		}
	})
}
