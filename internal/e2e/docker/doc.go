// Package docker runs the bundle as a hospital would: unpacked, its sums checked,
// the images loaded, the compose file started, on a real engine. Where no engine
// answers and this is root on Linux with dockerd installed, it starts one of its
// own, in a network namespace of its own and under a temporary directory; nothing is
// pulled. `make e2e-docker` calls it; without HQMS_DOCKER its tests are skipped, and
// with HQMS_DOCKER=where-possible a machine without an engine is said loudly and not
// held against the change.
//
// The images of others (Jaeger, Prometheus, Grafana, PostgreSQL) are not here: of
// their profiles compose only reads the configuration.
package docker
