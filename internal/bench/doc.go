// Package bench measures the built binaries from outside: real processes, real
// files, real sockets. It holds no product code; `make bench` runs it and
// docs/performance.md explains the figures.
//
// Every figure that depends on the machine stands beside a yardstick taken in
// the same run: the same disk's durable commits, the same core's compressor, the
// time a process needs to start at all. Ratios can be compared between machines
// and over time; absolute figures are information. Targets are shown, and make
// a test fail only with HQMS_BENCH_STRICT=1.
//
// Settings, all by environment:
//
//	HQMS_BENCH=1           run at all
//	HQMS_BENCH_PARTS=a,b   these parts alone
//	HQMS_BENCH_STRICT=1    a missed target fails
//	HQMS_BENCH_GATE=1      a ratio out of bounds fails
//	HQMS_BENCH_FILES=n     small files of the drain (10000)
//	HQMS_BENCH_LANES=n     lanes that send them, and rclone's transfers (32)
//	HQMS_BENCH_CLAIMS=n    files of each figure of claims (1000)
//	HQMS_BENCH_ENTRIES=n   directory entries of the largest scan (100000)
//	HQMS_BENCH_ROWS=n      rows of the largest journal (1000000)
//	HQMS_BENCH_IN_FLIGHT=n uploads at a slow server (1000)
//	HQMS_BENCH_STARTS=n    starts (11)
//	HQMS_BENCH_IDLE=s      seconds of idleness (120)
//	HQMS_BENCH_PASS=n      megabytes of the pass (96)
//	HQMS_BENCH_LINK=n      megabytes over the slow link (100)
//	HQMS_BENCH_LARGE=n     megabytes of the large file (2000; 200 is a quick run)
//	HQMS_BENCH_OUT=dir     where bench.json and bench.md go (else only printed)
//	HQMS_E2E_BIN=dir       the built binaries (else they are built)
package bench
