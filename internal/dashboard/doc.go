// Package dashboard holds the pages a browser is shown at "/": plain HTML, CSS
// and scripts, embedded, with nothing to build and nothing fetched from
// elsewhere.
//
// Invariants:
//   - The pages run under a Content-Security-Policy of 'self' alone: no inline
//     script, no inline style.
//   - Whatever comes from a file name, a server or the API is put on the page as
//     text, never as markup; a test keeps markup-making calls out of the scripts.
//   - Every word shown comes from the catalogue of package phrase (ids that begin
//     with "ui."); a test fails for a word that is missing or not used.
//   - A page is written for browsers of about Chromium 78.
//
// What fails here fails at the first request of a process: an asset that is not
// embedded does not exist.
package dashboard
