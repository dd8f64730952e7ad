package upload

import (
	"errors"
	"fmt"
	"time"
)

// Class says what kind of fault it is, and so what the pipeline does about it.
type Class int

// The classes.
const (
	// Passing faults are tried again with growing pauses, for as long as it takes.
	Passing Class = iota + 1
	// Local faults are of our own surroundings (disk, permission, settings):
	// held and looked at again, no attempt counted, the channel shows a remedy.
	Local
	// Refused: the server refused the credentials; the channel pauses and
	// probes as REFUSED_RETRY and REFUSED_PER_DAY allow. No attempt counted.
	Refused
	// Permanent faults park the upload as failed until an operator acts.
	Permanent
)

// String is the class's name in logs.
func (c Class) String() string {
	switch c {
	case Passing:
		return "passing"
	case Local:
		return "local"
	case Refused:
		return "refused"
	case Permanent:
		return "permanent"
	default:
		return "unclassified"
	}
}

// Fault is a classified error. Detail is for the operator and must hold neither
// a secret, nor a URL with a query, nor anything out of a file's cells; Err is
// the cause, for errors.Is, and bound by the same rule since logs print it.
type Fault struct {
	Class      Class
	Reason     Reason
	Detail     string
	RetryAfter time.Duration // the server's wish; 0: none
	Err        error
}

// Error implements error.
func (f *Fault) Error() string {
	switch {
	case f.Detail != "" && f.Err != nil:
		return fmt.Sprintf("%s: %s: %v", f.Reason, f.Detail, f.Err)
	case f.Err != nil:
		return fmt.Sprintf("%s: %v", f.Reason, f.Err)
	case f.Detail != "":
		return fmt.Sprintf("%s: %s", f.Reason, f.Detail)
	default:
		return string(f.Reason)
	}
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }

// PassingFault makes a passing fault.
func PassingFault(r Reason, detail string, err error) *Fault {
	return &Fault{Class: Passing, Reason: r, Detail: detail, Err: err}
}

// LocalFaultOf makes a local fault.
func LocalFaultOf(r Reason, detail string, err error) *Fault {
	return &Fault{Class: Local, Reason: r, Detail: detail, Err: err}
}

// RefusedFault makes a fault of refused credentials.
func RefusedFault(detail string) *Fault {
	return &Fault{Class: Refused, Reason: CredentialsRefused, Detail: detail}
}

// PermanentFault makes a permanent fault.
func PermanentFault(r Reason, detail string, err error) *Fault {
	return &Fault{Class: Permanent, Reason: r, Detail: detail, Err: err}
}

// AsFault finds the fault in err's chain. An unclassified error is a passing
// internal fault: trying again loses nothing, giving up might.
func AsFault(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return PassingFault(InternalFault, "", err)
}
