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
		var s spares
		for range mostSpares + 1 {
			w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
			if err != nil {
				t.Fatal(err)
			}
			s.put(w)
		}
		<-time.After(keptFor - time.Nanosecond) // virtual
		for i := range mostSpares + 1 {
			w := s.take()
			if (w != nil) != (i < mostSpares) {
				t.Errorf("spare %d: %t", i, w != nil)
			}
			if w != nil {
				defer s.put(w)
			}
		}
		synctest.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		var s spares
		w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		s.put(w)
		<-time.After(keptFor / 2)               // virtual
		s.put(s.take())                         // used meanwhile
		<-time.After(keptFor - time.Nanosecond) // virtual
		if w := s.take(); w == nil {
			t.Error("let go of while it was in use")
		} else {
			s.put(w)
		}
		<-time.After(keptFor) // virtual
		synctest.Wait()
		if s.take() != nil {
			t.Error("kept at rest")
		}
	})
}
