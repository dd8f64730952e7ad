// Package compose holds nothing but tests: that the compose files and
// .env.example fit the program (every variable is one of its own, every service is
// kept from what it does not need, no volume of a hospital is filled or given
// another owner), and that Prometheus' alerts there are those of the chart.
//
// What a real engine makes of the files is internal/e2e/docker's to see.
package compose

//go:generate go test -run ^TestAlertsAreThoseOfTheChart$ . -update
