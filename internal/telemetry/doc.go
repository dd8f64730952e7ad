// Package telemetry is what the program tells about itself: logs, metrics and
// traces.
//
// Logs go to standard output as JSON (or text), with the ids of the trace at
// hand, and, where asked for, to a file per day and to an OpenTelemetry
// collector. Metrics can always be scraped; their names are a contract, see
// [Metrics]. Traces, and the export of logs and metrics, follow the standard
// OTEL_* variables and are off when none of them asks for an exporter.
//
// One trace per upload, whole over restarts: trace id and root span id are in
// the upload's row. Stages hang under the root as under a remote parent; the
// root itself, "upload", is emitted when the upload ends, from the moment it
// was spotted. A stage that only looked or asked leaves no span: what it waited
// for is shown by the span of the run that moved the upload, which for settle
// and confirm begins when the waiting began.
//
// Invariants:
//   - No attribute, label or line holds a cell's value, a file's name, a secret
//     or a URL: of a request there is a name, a host and a status.
//   - Nothing here ever blocks or ends the program's work: queues are bounded,
//     a dead collector costs its spans, a full disk costs lines of the log file,
//     and Shutdown returns within two seconds.
//
// An upload that goes on after its end (an operator asks the server again)
// emits its root a second time, under the same id.
package telemetry
