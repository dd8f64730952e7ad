// Package browser drives the built binaries in a real headless Chromium: every
// screen and every action of the dashboard, in both languages, at the width of a
// telephone and of a desk, light and dark. It contains no product code.
//
// A tab fails its test for anything the console complains of, a request to
// another origin, a page wider than the window, and whatever axe-core finds
// about accessibility. What each screen looked like is kept as PNG under
// bin/screenshots (or HQMS_SCREENSHOTS).
//
// Without Chromium the tests are skipped; in CI (CI is set) they fail instead.
// HQMS_E2E_BIN names the directory of the built binaries; without it they are
// built first.
package browser
