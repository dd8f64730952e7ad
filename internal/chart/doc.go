// Package chart holds the tests of the Helm chart in deploy/helm/hqms-sidecar,
// and generates the one file of it that comes from the program: the list of its
// environment variables, which the chart checks the settings against. A new
// variable therefore needs no change of the chart, and a misspelt one is
// refused before anything is installed.
//
// Invariants: every example of values renders, passes the schema and
// meets the restricted level of pod security; every way to set it wrong
// is refused with the remedy in both languages.
//
// The tests that render need helm (internal/e2e/k8s/cluster/build.sh tools);
// without it they are skipped, under HQMS_CHART=1 they fail.
package chart

//go:generate go test -run ^TestVariablesAreTheProgramsOwn$ . -update
