package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var update = flag.Bool("update", false, "write the generated documentation")

// good is an environment that starts; more is added to it, a later pair wins.
func good(more ...string) []string {
	return append([]string{"FLU_WATCH_DIR=/data/flu", "FLU_ACCOUNT=13800000000", "FLU_PASSWORD=pw"}, more...)
}

// faultsOf gives what is wrong, as "VARIABLE what".
func faultsOf(t *testing.T, environ []string) []string {
	t.Helper()
	_, err := Load(environ)
	if err == nil {
		return nil
	}
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("not Faults: %v", err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.Variable+" "+f.What)
		for _, id := range []string{"config.fault." + f.What, "config.remedy." + f.What} {
			if !phrase.Has(id) {
				t.Errorf("no phrase %s", id)
			}
		}
		for _, lang := range phrase.Langs() {
			if text := f.Text(lang) + f.Remedy(lang); strings.ContainsAny(text, "{}") {
				t.Errorf("%s: parameter left open: %s", f.What, text)
			}
		}
	}
	return got
}

func TestDefaultsAreTheContract(t *testing.T) {
	t.Parallel()
	cfg, err := Load(good("HQMS_WATCH_DIR=/data/hqms", "HQMS_ACCOUNT=a", "HQMS_PASSWORD=b"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range cfg.Settings() {
		if s.Default {
			got[s.Name] = s.Value
		}
	}
	want := map[string]string{
		"LISTEN_ADDR": ":8080", "STATE_DIR": "/var/lib/hqms", "API_TOKEN": "", "API_VIEW_TOKEN": "",
		"TLS_CERT_FILE": "", "TLS_KEY_FILE": "", "TLS_CLIENT_CA_FILE": "",
		"LOG_LEVEL": "info", "LOG_FORMAT": "json", "LOG_DIR": "", "STANDARDS_DIR": "",
		"QUIET_PERIOD": "2s", "RESCAN_INTERVAL": "30s", "SETTLE": "auto", "CONCURRENCY": "2",
		"RETRY_MIN": "1s", "RETRY_MAX": "15m", "POLL_MIN": "2s", "POLL_MAX": "1m", "RESULT_DEADLINE": "24h", "UNKNOWN_GRACE": "1m",
		"BANDWIDTH_LIMIT": "", "UPLOAD_WINDOW": "", "UPLOAD_WINDOW_URGENT": "wait", "HOLIDAYS_FILE": "", "EXPECT_WARN": "1h",
		"ALERT_WEBHOOK_URL": "", "ALERT_FORMAT": "json", "ALERT_SECRET": "", "ALERT_LANGUAGE": "zh", "ALERT_MIN_SEVERITY": "warning", "ALERT_QUIET_HOURS": "",
		"ALERT_GROUP_WAIT": "30s", "ALERT_REPEAT": "4h", "ALERT_OFFLINE_AFTER": "30m", "ALERT_EXPIRY_BEFORE": "720h", "ALERT_CA_FILE": "", "PUBLIC_URL": "",
		"REFUSED_RETRY": "15m", "REFUSED_PER_DAY": "5", "COMPRESSION": "auto", "SPOOL_LIMIT": "5GiB", "DATABASE_URL": "", "DISK_RESERVE": "64MiB",
		"ARCHIVE_RETENTION": "720h", "QUARANTINE_RETENTION": "2160h", "JOURNAL_RETENTION": "4320h",
		"HQMS_SERVER_URL": "https://ts.hqms.org.cn/", "FLU_SERVER_URL": "https://flu.hqms.org.cn/",
		"HQMS_ICD10_DIAGNOSIS": "national", "HQMS_ICD10_MORPHOLOGY": "national", "HQMS_ICD9_PROCEDURE": "beijing", "HQMS_ICD9_PARAMETER": "rc022",
	}
	for _, p := range []string{"HQMS_", "FLU_"} {
		for name, value := range map[string]string{
			"PROTOCOL": "hqms", "CA_FILE": "", "CLIENT_CERT_FILE": "", "CLIENT_KEY_FILE": "", "STANDARD": "", "PASSWORD_EXPIRES": "",
			"BLOCK_ON": "error", "ON_ACCEPTED": "archive", "ON_REJECTED": "quarantine", "EXPECT": "",
			"UPLOAD_CONTENT_TYPE": "multipart/form-data; boundary=Bounday---------------------------7d318fd100112", "UPLOAD_PARAMETERS": "",
			"TOKEN_PATH": "docking/auto/gettoken.shtml", "UPLOAD_PATH": "autoReqTran.shtml", "RESULT_PATH": "docking/auto/findResult.shtml",
		} {
			want[p+name] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNothingSetSaysWhatMakesAChannel(t *testing.T) {
	t.Parallel()
	_, err := Load(nil)
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 1 {
		t.Fatalf("error: %v", err)
	}
	var out bytes.Buffer
	if err := faults.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"WATCH_DIR", "ACCOUNT", "PASSWORD", "HQMS_WATCH_DIR=/data/hqms", "三个变量", "three variables"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
	if _, err := Load(nil, ChannelsOptional()); err != nil {
		t.Errorf("a command that needs no channel is refused: %v", err)
	}
}

func TestValuesAreRead(t *testing.T) {
	t.Parallel()
	cfg, err := Load(good("LOG_LEVEL=WARN", "CONCURRENCY= 8 ", "SPOOL_LIMIT=500mb", "QUIET_PERIOD=", "FLU_BLOCK_ON=never",
		"FLU_SERVER_URL=https://platform.example.org/base/", "HQMS_ICD10_DIAGNOSIS=北京版", "HQMS_ICD9_PROCEDURE=全国版", "COMPRESSION=7",
		"FLU_UPLOAD_PARAMETERS=genLargeDat=0&orgid=1", "LOG_DIR=logs"))
	if err != nil {
		t.Fatal(err)
	}
	ch := cfg.Channels()
	if len(ch) != 1 || ch[0].Name != upload.Flu || ch[0].WatchDir != "/data/flu" || ch[0].BlockOn != "" {
		t.Errorf("channels: %+v", ch)
	}
	if cfg.Level().String() != "WARN" || cfg.Concurrency != 8 || cfg.SpoolLimit != 500e6 || cfg.QuietPeriod != 2*time.Second || cfg.CompressionLevel() != 7 {
		t.Errorf("config: %+v", cfg)
	}
	if cfg.ICD10Diagnosis != Beijing || cfg.ICD9Procedure != National || cfg.ICD10Morphology != National {
		t.Errorf("codings: %v %v %v", cfg.ICD10Diagnosis, cfg.ICD9Procedure, cfg.ICD10Morphology)
	}
	if got := cfg.Flu.ServerURL.String(); got != "https://platform.example.org/base/" {
		t.Errorf("server: %s", got)
	}
	if got := cfg.Flu.UploadParameters.String(); got != "genLargeDat=0&orgid=1" {
		t.Errorf("parameters: %s", got)
	}
	if !filepath.IsAbs(cfg.LogDir) {
		t.Errorf("LOG_DIR is relative: %s", cfg.LogDir)
	}
}

func TestEachFaultIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "empty"), " \n")
	write(t, filepath.Join(dir, "two-lines"), "a\nb\n")
	write(t, filepath.Join(dir, "cert.pem"), "x")
	tests := []struct {
		name string
		set  []string
		want string
	}{
		{"duration without unit", []string{"QUIET_PERIOD=2"}, "QUIET_PERIOD bad_duration"},
		{"duration negative", []string{"RETRY_MIN=-1s"}, "RETRY_MIN out_of_range"},
		{"number", []string{"CONCURRENCY=many"}, "CONCURRENCY bad_number"},
		{"number out of range", []string{"CONCURRENCY=0"}, "CONCURRENCY out_of_range"},
		{"size", []string{"SPOOL_LIMIT=5 gibi"}, "SPOOL_LIMIT bad_size"},
		{"size overflows", []string{"SPOOL_LIMIT=9999999999GiB"}, "SPOOL_LIMIT bad_size"},
		{"size too small", []string{"SPOOL_LIMIT=1KiB"}, "SPOOL_LIMIT too_small"},
		{"enumeration", []string{"SETTLE=atuo"}, "SETTLE bad_choice_near"},
		{"enumeration, nothing near", []string{"LOG_LEVEL=loud"}, "LOG_LEVEL bad_choice"},
		{"severity", []string{"FLU_BLOCK_ON=errors"}, "FLU_BLOCK_ON bad_choice_near"},
		{"coding", []string{"HQMS_ICD9_PROCEDURE=shanghai"}, "HQMS_ICD9_PROCEDURE bad_choice"},
		{"protocol of a later version", []string{"FLU_PROTOCOL=tus"}, "FLU_PROTOCOL later_value"},
		{"variable of a later version", []string{"ARCHIVE_KEY_FILE=/run/key"}, "ARCHIVE_KEY_FILE later"},
		{"database of another kind", []string{"DATABASE_URL=mysql://u:p@x/y"}, "DATABASE_URL bad_database"},
		{"database without host", []string{"DATABASE_URL=postgres:///x"}, "DATABASE_URL bad_database"},
		{"address", []string{"LISTEN_ADDR=8080"}, "LISTEN_ADDR bad_address"},
		{"URL scheme", []string{"FLU_SERVER_URL=ftp://x/"}, "FLU_SERVER_URL bad_url"},
		{"URL without host", []string{"FLU_SERVER_URL=https:///x"}, "FLU_SERVER_URL bad_url"},
		{"URL with credentials", []string{"FLU_SERVER_URL=https://u:p@x/"}, "FLU_SERVER_URL url_credentials"},
		{"URL with query", []string{"FLU_SERVER_URL=https://x/?a=b"}, "FLU_SERVER_URL url_query"},
		{"own parameter", []string{"FLU_UPLOAD_PARAMETERS=token=x"}, "FLU_UPLOAD_PARAMETERS own_parameter"},
		{"content type with a line break", []string{"FLU_UPLOAD_CONTENT_TYPE=a\r\nX: y"}, "FLU_UPLOAD_CONTENT_TYPE bad_header"},
		{"path upwards", []string{"FLU_TOKEN_PATH=../x"}, "FLU_TOKEN_PATH bad_urlpath"},
		{"path with a query", []string{"FLU_RESULT_PATH=x?a=b"}, "FLU_RESULT_PATH bad_urlpath"},
		{"standard's name", []string{"FLU_STANDARD=../../etc"}, "FLU_STANDARD bad_name"},
		{"certificate missing", []string{"FLU_CA_FILE=/no/such"}, "FLU_CA_FILE file_unreadable"},
		{"certificate is a directory", []string{"FLU_CA_FILE=" + dir}, "FLU_CA_FILE file_unreadable"},
		{"certificate without key", []string{"TLS_CERT_FILE=" + dir + "/cert.pem"}, "TLS_CERT_FILE needs"},
		{"key without certificate", []string{"FLU_CLIENT_KEY_FILE=" + dir + "/cert.pem"}, "FLU_CLIENT_KEY_FILE needs"},
		{"minimum above maximum", []string{"POLL_MIN=2m"}, "POLL_MIN not_ordered"},
		{"both forms", []string{"FLU_PASSWORD_FILE=/x"}, "FLU_PASSWORD both_forms"},
		{"secret file missing", []string{"FLU_PASSWORD=", "FLU_PASSWORD_FILE=/no/such"}, "FLU_PASSWORD_FILE file_unreadable"},
		{"secret file empty", []string{"FLU_PASSWORD=", "FLU_PASSWORD_FILE=" + dir + "/empty"}, "FLU_PASSWORD_FILE secret_empty"},
		{"secret file of two lines", []string{"FLU_PASSWORD=", "FLU_PASSWORD_FILE=" + dir + "/two-lines"}, "FLU_PASSWORD_FILE secret_control"},
		{"secret with a control character", []string{"FLU_PASSWORD=a\x01b"}, "FLU_PASSWORD secret_control"},
		{"secret too long", []string{"API_TOKEN=" + strings.Repeat("x", 5000)}, "API_TOKEN secret_too_long"},
		{"one token for both roles", []string{"API_TOKEN=x", "API_VIEW_TOKEN=x"}, "API_VIEW_TOKEN same_token"},
		{"account missing", []string{"FLU_ACCOUNT="}, "FLU_ACCOUNT missing"},
		{"watched directory inside the state", []string{"FLU_WATCH_DIR=/var/lib/hqms/in"}, "FLU_WATCH_DIR watch_in_state"},
		{"watched directory is the state", []string{"FLU_WATCH_DIR=/var/lib/hqms/"}, "FLU_WATCH_DIR watch_in_state"},
		{"one directory for both channels", []string{"HQMS_WATCH_DIR=/data/./flu/", "HQMS_ACCOUNT=a", "HQMS_PASSWORD=b"}, "FLU_WATCH_DIR same_watch_dir"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff([]string{tt.want}, faultsOf(t, good(tt.set...))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLinkedDirectoriesAreSeenThrough(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "a"), 0o700))
	must(t, os.Symlink("a", filepath.Join(dir, "b")))
	got := faultsOf(t, good("FLU_WATCH_DIR="+dir+"/a", "HQMS_WATCH_DIR="+dir+"/b", "HQMS_ACCOUNT=a", "HQMS_PASSWORD=b"))
	if !slices.Equal(got, []string{"FLU_WATCH_DIR same_watch_dir"}) {
		t.Errorf("same directory through a link: %v", got)
	}
	got = faultsOf(t, good("STATE_DIR="+dir+"/a", "FLU_WATCH_DIR="+dir+"/b/not/yet/there"))
	if !slices.Equal(got, []string{"FLU_WATCH_DIR watch_in_state"}) {
		t.Errorf("inside the state through a link: %v", got)
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	got := faultsOf(t, []string{"FLU_WATCH_DIR=/data/flu", "QUIET_PERIOD=x", "CONCURRENCY=x", "HQMS_PASSWROD=y", "LISTEN_ADDR=z", "FLU_ACCOUNT=a"})
	want := []string{"CONCURRENCY bad_number", "FLU_PASSWORD missing", "HQMS_PASSWROD unknown_near", "LISTEN_ADDR bad_address", "QUIET_PERIOD bad_duration"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatWorksButIsHardlyMeantIsWarnedOf(t *testing.T) {
	t.Parallel()
	cfg, err := Load(good("FLU_SERVER_URL=http://sandbox:8081", "HQMS_ACCOUNT=a"))
	must(t, err)
	var got []string
	for _, w := range cfg.Warnings() {
		got = append(got, w.Variable+" "+w.What)
	}
	if diff := cmp.Diff([]string{"FLU_SERVER_URL http_url", "HQMS_WATCH_DIR channel_off"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryVariableHasWords(t *testing.T) {
	t.Parallel()
	var want []string
	for _, f := range fields() {
		want = append(want, f.meaning())
		if !phrase.Has(f.meaning()) {
			t.Errorf("no phrase %s", f.meaning())
		}
	}
	for _, id := range phrase.IDs("config.var.") {
		if !slices.Contains(want, id) {
			t.Errorf("%s names no variable", id)
		}
	}
}

func TestDocumentationIsGenerated(t *testing.T) {
	t.Parallel()
	for lang, name := range map[phrase.Lang]string{phrase.English: "configuration.md", phrase.Chinese: "configuration.zh-CN.md"} {
		var b bytes.Buffer
		must(t, WriteDocs(&b, lang))
		if strings.Contains(b.String(), "config.docs.") || strings.Contains(b.String(), "config.var.") {
			t.Errorf("%s: a phrase is missing", name)
		}
		path := filepath.Join("..", "..", "docs", name)
		if *update {
			must(t, os.WriteFile(path, b.Bytes(), 0o644))
		}
		stored, err := os.ReadFile(path)
		must(t, err)
		if !bytes.Equal(stored, b.Bytes()) {
			t.Errorf("docs/%s is not what the struct says: run go generate ./internal/config", name)
		}
	}
}

func FuzzEnvironment(f *testing.F) {
	f.Add("QUIET_PERIOD", "2s")
	f.Add("FLU_SERVER_URL", "https://[::1]:x/%zz")
	f.Add("HQMS_UPLOAD_PARAMETERS", "%%")
	f.Add("SPOOL_LIMIT", "99999999999999999999TiB")
	f.Add("HQMS_X_PORT", "tcp://")
	f.Add("LISTEN_ADDR", "[::]:99999")
	f.Fuzz(func(t *testing.T, name, value string) {
		cfg, err := Load(good(name + "=" + value))
		if cfg == nil {
			t.Fatal("no config")
		}
		if err == nil {
			return
		}
		var faults Faults
		if !errors.As(err, &faults) {
			t.Fatalf("a fault of ours: %v", err)
		}
		for _, x := range faults {
			if !phrase.Has("config.fault."+x.What) || !phrase.Has("config.remedy."+x.What) {
				t.Errorf("no words for %s", x.What)
			}
		}
	})
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
