package config

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMisspeltVariablesAreRefusedWithASuggestion(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"QUIET_PERIODE":          "QUIET_PERIOD",
		"QUIET_PEROID":           "QUIET_PERIOD",
		"quiet_period":           "QUIET_PERIOD",
		"RESCAN_INTERVALL":       "RESCAN_INTERVAL",
		"LOGLEVEL":               "LOG_LEVEL",
		"STATEDIR":               "STATE_DIR",
		"HQMS_WATCHDIR":          "HQMS_WATCH_DIR",
		"HQMS_WATCH_DIR_FILE":    "HQMS_WATCH_DIR",
		"HQMS_LOG_LEVEL":         "LOG_LEVEL",
		"FLU_PASSWROD":           "FLU_PASSWORD",
		"FLU_PASSWORDFILE":       "FLU_PASSWORD_FILE",
		"FLU_BLOCK_ONN":          "FLU_BLOCK_ON",
		"HQMZ_WATCH_DIR":         "HQMS_WATCH_DIR",
		"WATCH_DIR":              "HQMS_WATCH_DIR",
		"ON_ACCEPTED":            "HQMS_ON_ACCEPTED",
		"HQMS_ICD10_DIAGNOSES":   "HQMS_ICD10_DIAGNOSIS",
		"HQMS_SOMETHING_UNHEARD": "",
		"FLU_":                   "",
		"HQMS_PORT":              "",
		"ALERT_WEBHOOK":          "",
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(good(name + "=8080"))
			faults, _ := err.(Faults) //nolint:errorlint // the very type is the contract here
			if len(faults) != 1 || faults[0].Variable != name {
				t.Fatalf("faults: %v", err)
			}
			if got := faults[0].Params["nearest"]; got != want && want != "" {
				t.Errorf("suggests %q, want %q", got, want)
			}
			if what := faults[0].What; what != "unknown" && what != "unknown_near" {
				t.Errorf("what: %s", what)
			}
		})
	}
}

func TestVariablesOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	environ := good(
		"HQMS_SIDECAR_SERVICE_HOST=10.0.0.1", "HQMS_SIDECAR_SERVICE_PORT=8080", "HQMS_SIDECAR_SERVICE_PORT_HTTP=8080",
		"HQMS_SIDECAR_PORT=tcp://10.0.0.1:8080", "HQMS_SIDECAR_PORT_8080_TCP=tcp://10.0.0.1:8080",
		"HQMS_SIDECAR_PORT_8080_TCP_PROTO=tcp", "HQMS_SIDECAR_PORT_8080_TCP_PORT=8080", "HQMS_SIDECAR_PORT_8080_TCP_ADDR=10.0.0.1",
		"FLU_SANDBOX_PORT=udp://10.0.0.1:1", "HQMS_PORT=tcp://10.0.0.1:8080",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://x", "OTEL_SERVICE_NAME=x", "https_proxy=http://p", "NO_PROXY=x", "TZ=Asia/Shanghai",
		"NPM_TOKEN=x", "APP_TOKEN=x", "GH_TOKEN=x", "PATH=/bin", "HOME=/", "HOSTNAME=x", "PASSWORD=x", "ACCOUNT=x", "LANG=C",
		"KUBERNETES_PORT=tcp://10.0.0.1:443", "DATABASE_URL=", "GOMEMLIMIT=64MiB", "TERM=xterm", "SETTINGS=x")
	if got := faultsOf(t, environ); got != nil {
		t.Errorf("refused: %v", got)
	}
}

func TestDistanceIsAMetricOfSlips(t *testing.T) {
	t.Parallel()
	if d := distance("QUIET_PEROID", "QUIET_PERIOD"); d != 1 {
		t.Errorf("a swap counts %d", d)
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[A-Z_]{0,12}`)
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) {
			t.Fatalf("distance(%q, %q) = %d", a, b, d)
		}
	})
}

func TestByteSizesPrintAsTheyAreRead(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Bytes{"0": 0, "1": 1, "7B": 7, "64MiB": 64 << 20, "5 GiB": 5 << 30, "500MB": 500e6, "2kb": 2000, "1tib": 1 << 40} {
		got, err := ParseBytes(in)
		if err != nil || got != want {
			t.Errorf("%s: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "B", "-1", "1.5GiB", "1PiB", "GiB", "9223372036854775808", "8388608TiB"} {
		if got, err := ParseBytes(in); err == nil {
			t.Errorf("%q is read as %d", in, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		if back, err := ParseBytes(b.String()); err != nil || back != b {
			t.Fatalf("%s: %d, %v", b, back, err)
		}
	})
}

func TestKnownNamesAreUnique(t *testing.T) {
	t.Parallel()
	names := known(fields())
	slices.Sort(names)
	if diff := cmp.Diff(slices.Compact(slices.Clone(names)), names); diff != "" {
		t.Error(diff)
	}
}
