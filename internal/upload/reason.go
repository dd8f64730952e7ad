package upload

import "slices"

// Reason says why an upload, a channel or a file is where it is. The set is
// closed: a reason is at once an error's detail, a metric's label, a value of
// the API and a key of the phrase catalogue (Chinese, English, remedy).
type Reason string

// Reasons of waiting for a file to be complete.
const (
	StillChanging  Reason = "still_changing"  // size, times or inode differ from the last look
	QuietPeriod    Reason = "quiet_period"    // unchanged, but not yet for long enough
	WriterOpen     Reason = "writer_open"     // somebody has it open for writing
	MarkerMissing  Reason = "marker_missing"  // SETTLE=marker and no marker yet
	MarkerMismatch Reason = "marker_mismatch" // the marker's size, rows or digest do not fit
)

// Reasons that concern the source file.
const (
	SourceVanished   Reason = "source_vanished"    // removed before it was read
	SourceChanged    Reason = "source_changed"     // changed while or before it was read
	SourceUnreadable Reason = "source_unreadable"  // open or read failed
	NotRegular       Reason = "not_a_regular_file" // directory, FIFO, device, symlink
	NameInvalid      Reason = "name_invalid"       // control characters or not UTF-8
	NameIgnored      Reason = "name_ignored"       // dotfile or temporary name
	NameUnknown      Reason = "name_unknown"       // no kind of this channel has such a name
	AlreadyKnown     Reason = "already_known"      // this very content was dealt with and left in place
	InProgress       Reason = "in_progress"        // an open upload of this file exists
)

// Reasons of the local environment: held without counting an attempt.
const (
	DiskFull         Reason = "disk_full"
	SpoolFull        Reason = "spool_full"
	SpoolLost        Reason = "spool_lost" // the packed copy is missing or damaged; it is packed again
	PermissionDenied Reason = "permission_denied"
	ReadOnly         Reason = "read_only"
	WatchDirMissing  Reason = "watch_dir_missing"
	LocalFault       Reason = "local_fault" // any other file system error
)

// Reasons of the checks.
const (
	FindingsBlock Reason = "findings_block" // findings at or above BLOCK_ON
)

// Reasons of delivery.
const (
	SameContentInFlight Reason = "same_content_in_flight"   // another upload is delivering this content
	DeliveredBefore     Reason = "delivered_before"         // an earlier upload delivered this content
	ServerUnreachable   Reason = "server_unreachable"       // DNS, refused, reset, no route
	ServerTimeout       Reason = "server_timeout"           // no progress in time
	ServerTLS           Reason = "server_tls"               // certificate or handshake
	ServerError         Reason = "server_error"             // 5xx
	ServerBusy          Reason = "server_busy"              // 408, 425, 429, 503 with Retry-After
	ServerUnreadable    Reason = "server_answer_unreadable" // HTML, no JSON, truncated, too long
	ServerMisconfigured Reason = "server_url_wrong"         // other 4xx, redirect to another host
	UploadBroken        Reason = "upload_broken"            // the body could not be written whole
	AnswerLost          Reason = "answer_lost"              // the body went out, the answer did not come
	NotArrived          Reason = "not_arrived"              // the server does not know the delivery
	CredentialsRefused  Reason = "credentials_refused"      // the server refused account or password
	CredentialsMissing  Reason = "credentials_missing"      // no account or password configured
	UploadRefused       Reason = "upload_refused"           // the server refused this upload
	ServerWorking       Reason = "server_working"           // received, no verdict yet
	VerdictUnknown      Reason = "verdict_unknown"          // the server does not know the ticket (yet)
	DeadlinePassed      Reason = "result_deadline_passed"   // RESULT_DEADLINE went by without a verdict
	RejectedByServer    Reason = "rejected_by_server"       // stored nothing
	PartlyStored        Reason = "partly_stored"            // stored some
	ServerHasIt         Reason = "server_has_it"            // the server called it a duplicate
	ChannelPaused       Reason = "channel_paused"           // by an operator
	OutsideUploadWindow Reason = "outside_upload_window"    // UPLOAD_WINDOW
	OriginalChanged     Reason = "original_changed"         // at putting away: not what was sent; left in place
	OriginalGone        Reason = "original_gone"            // at putting away: somebody removed it
	OperatorCancelled   Reason = "operator_cancelled"       //
	OperatorRetried     Reason = "operator_retried"         //
	RestoredAsFile      Reason = "restored_as_file"         // put back as a file only; not taken again while it stays as it is
	InternalFault       Reason = "internal_fault"           // a fault of ours, see the log
	JournalUnavailable  Reason = "journal_unavailable"      // the journal cannot be written
	JournalRebuilt      Reason = "journal_rebuilt"          // the journal was lost; this row was made anew from what is left
	ClockSkew           Reason = "clock_skew"               // our clock and the server's are far apart
)

// Reasons lists the closed set.
func Reasons() []Reason {
	return []Reason{
		StillChanging, QuietPeriod, WriterOpen, MarkerMissing, MarkerMismatch,
		SourceVanished, SourceChanged, SourceUnreadable, NotRegular, NameInvalid, NameIgnored, NameUnknown, AlreadyKnown, InProgress,
		DiskFull, SpoolFull, SpoolLost, PermissionDenied, ReadOnly, WatchDirMissing, LocalFault,
		FindingsBlock,
		SameContentInFlight, DeliveredBefore, ServerUnreachable, ServerTimeout, ServerTLS, ServerError, ServerBusy, ServerUnreadable,
		ServerMisconfigured, UploadBroken, AnswerLost, NotArrived, CredentialsRefused, CredentialsMissing, UploadRefused, ServerWorking,
		VerdictUnknown, DeadlinePassed, RejectedByServer, PartlyStored, ServerHasIt, ChannelPaused, OutsideUploadWindow,
		OriginalChanged, OriginalGone, OperatorCancelled, OperatorRetried, RestoredAsFile, InternalFault, JournalUnavailable, JournalRebuilt, ClockSkew,
	}
}

// Valid reports whether r belongs to the closed set; the empty reason does not.
func (r Reason) Valid() bool { return slices.Contains(Reasons(), r) }
