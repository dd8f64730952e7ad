// Package replicas proves that several sidecars on one volume and one PostgreSQL
// journal lose nothing and deliver nothing twice: real processes, real signals, a
// real server, the sandbox's arrivals as the oracle. It contains no product code.
//
// The sidecars are the test's own binary started as one (app.Main), so that the
// lease can be shorter than in production. HQMS_REPLICAS_FILES sets the number of
// files (make replicas: 2000), HQMS_REPLICAS_SEED the seed of a run: the same strikes in the same order, though never at the same instant;
// HQMS_E2E_BIN names the directory of the built sandbox.
package replicas
