package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pace"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Config is the whole configuration. The tags are the contract: env and
// envDefault name the variable and its default, oneof the values of an
// enumeration, later those that a later version will know, min and max the
// bounds, path what kind of path it is. The meaning of each variable is in the
// phrase catalogue under config.var.<variable>.
type Config struct {
	ListenAddr   string `env:"LISTEN_ADDR" envDefault:":8080" form:"address"`
	StateDir     string `env:"STATE_DIR" envDefault:"/var/lib/hqms" path:"dir"`
	DatabaseURL  Secret `env:"DATABASE_URL" form:"database"`
	APIToken     Secret `env:"API_TOKEN"`
	APIViewToken Secret `env:"API_VIEW_TOKEN"`

	TLSCertFile     string `env:"TLS_CERT_FILE" path:"file"`
	TLSKeyFile      string `env:"TLS_KEY_FILE" path:"file"`
	TLSClientCAFile string `env:"TLS_CLIENT_CA_FILE" path:"file"`

	LogLevel  string `env:"LOG_LEVEL" envDefault:"info" oneof:"debug,info,warn,error"`
	LogFormat string `env:"LOG_FORMAT" envDefault:"json" oneof:"json,text"`
	LogDir    string `env:"LOG_DIR" path:"dir"`

	StandardsDir string `env:"STANDARDS_DIR" path:"dir"`

	QuietPeriod    time.Duration `env:"QUIET_PERIOD" envDefault:"2s" min:"10ms" max:"1h"`
	RescanInterval time.Duration `env:"RESCAN_INTERVAL" envDefault:"30s" min:"100ms" max:"24h"`
	Settle         string        `env:"SETTLE" envDefault:"auto" oneof:"auto,closed,quiet,marker"`
	Concurrency    int           `env:"CONCURRENCY" envDefault:"2" min:"1" max:"64"`

	RetryMin       time.Duration `env:"RETRY_MIN" envDefault:"1s" min:"10ms" max:"24h"`
	RetryMax       time.Duration `env:"RETRY_MAX" envDefault:"15m" min:"10ms" max:"24h"`
	PollMin        time.Duration `env:"POLL_MIN" envDefault:"2s" min:"10ms" max:"24h"`
	PollMax        time.Duration `env:"POLL_MAX" envDefault:"60s" min:"10ms" max:"24h"`
	ResultDeadline time.Duration `env:"RESULT_DEADLINE" envDefault:"24h" min:"1s" max:"8760h"`
	UnknownGrace   time.Duration `env:"UNKNOWN_GRACE" envDefault:"60s" min:"0s" max:"24h"`
	RefusedRetry   time.Duration `env:"REFUSED_RETRY" envDefault:"15m" min:"1s" max:"24h"`
	RefusedPerDay  int           `env:"REFUSED_PER_DAY" envDefault:"5" min:"0" max:"100"`

	BandwidthLimit pace.Limits `env:"BANDWIDTH_LIMIT"`
	UploadWindow   pace.Week   `env:"UPLOAD_WINDOW"`

	HolidaysFile string        `env:"HOLIDAYS_FILE" path:"file"`
	ExpectWarn   time.Duration `env:"EXPECT_WARN" envDefault:"1h" min:"0s" max:"720h"`

	UploadWindowUrgent string `env:"UPLOAD_WINDOW_URGENT" envDefault:"wait" oneof:"wait,send"`

	Compression string `env:"COMPRESSION" envDefault:"auto" oneof:"auto,1,2,3,4,5,6,7,8,9"`
	SpoolLimit  Bytes  `env:"SPOOL_LIMIT" envDefault:"5GiB" min:"1MiB"`
	DiskReserve Bytes  `env:"DISK_RESERVE" envDefault:"64MiB" min:"0"`

	ArchiveRetention    time.Duration `env:"ARCHIVE_RETENTION" envDefault:"720h" min:"1h" max:"876000h"`
	QuarantineRetention time.Duration `env:"QUARANTINE_RETENTION" envDefault:"2160h" min:"1h" max:"876000h"`
	JournalRetention    time.Duration `env:"JOURNAL_RETENTION" envDefault:"4320h" min:"1h" max:"876000h"`

	AlertWebhookURL   Secret        `env:"ALERT_WEBHOOK_URL" form:"webhook"`
	AlertFormat       string        `env:"ALERT_FORMAT" envDefault:"json" oneof:"json,dingtalk,wecom,feishu,alertmanager"`
	AlertSecret       Secret        `env:"ALERT_SECRET"`
	AlertLanguage     string        `env:"ALERT_LANGUAGE" envDefault:"zh" oneof:"zh,en"`
	AlertMinSeverity  string        `env:"ALERT_MIN_SEVERITY" envDefault:"warning" oneof:"warning,critical"`
	AlertQuietHours   pace.Week     `env:"ALERT_QUIET_HOURS"`
	AlertGroupWait    time.Duration `env:"ALERT_GROUP_WAIT" envDefault:"30s" min:"1s" max:"1h"`
	AlertRepeat       time.Duration `env:"ALERT_REPEAT" envDefault:"4h" min:"0s" max:"720h"`
	AlertOfflineAfter time.Duration `env:"ALERT_OFFLINE_AFTER" envDefault:"30m" min:"1s" max:"720h"`
	AlertExpiryBefore time.Duration `env:"ALERT_EXPIRY_BEFORE" envDefault:"720h" min:"1h" max:"8760h"`
	AlertCAFile       string        `env:"ALERT_CA_FILE" path:"file"`
	PublicURL         URL           `env:"PUBLIC_URL" form:"public"`

	HQMS Channel `envPrefix:"HQMS_"`
	Flu  Channel `envPrefix:"FLU_"`

	ICD10Diagnosis  Coding `env:"HQMS_ICD10_DIAGNOSIS" envDefault:"national"`
	ICD10Morphology Coding `env:"HQMS_ICD10_MORPHOLOGY" envDefault:"national"`
	ICD9Procedure   Coding `env:"HQMS_ICD9_PROCEDURE" envDefault:"beijing"`
	ICD9Parameter   string `env:"HQMS_ICD9_PARAMETER" envDefault:"rc022" form:"parameter"`

	given    map[string]bool   // the variables that were set
	files    map[string]string // of the secrets given as files: variable (without _FILE) → path
	warnings []Fault
}

// Channel is what one channel is configured with. It is on when WatchDir is set.
type Channel struct {
	Name      upload.Channel `env:"-"`
	WatchDir  string         `env:"WATCH_DIR" path:"dir"`
	ServerURL URL            `env:"SERVER_URL"`
	Protocol  string         `env:"PROTOCOL" envDefault:"hqms" oneof:"hqms" later:"tus,sftp,s3,dir"`
	Account   Secret         `env:"ACCOUNT"`
	Password  Secret         `env:"PASSWORD"`

	PasswordExpires string `env:"PASSWORD_EXPIRES" form:"date"` // yyyy-mm-dd

	CAFile         string `env:"CA_FILE" path:"file"`
	ClientCertFile string `env:"CLIENT_CERT_FILE" path:"file"`
	ClientKeyFile  string `env:"CLIENT_KEY_FILE" path:"file"`

	Standard   string          `env:"STANDARD" form:"name"`
	BlockOn    upload.Severity `env:"BLOCK_ON" envDefault:"error" oneof:"fatal,error,warning,never"` // empty: never
	OnAccepted string          `env:"ON_ACCEPTED" envDefault:"archive" oneof:"archive,delete,keep"`
	OnRejected string          `env:"ON_REJECTED" envDefault:"quarantine" oneof:"quarantine,delete,keep"`
	Expect     calendar.Plan   `env:"EXPECT"`

	TokenPath         string     `env:"TOKEN_PATH" envDefault:"docking/auto/gettoken.shtml" form:"urlpath"`
	UploadPath        string     `env:"UPLOAD_PATH" envDefault:"autoReqTran.shtml" form:"urlpath"`
	ResultPath        string     `env:"RESULT_PATH" envDefault:"docking/auto/findResult.shtml" form:"urlpath"`
	UploadContentType string     `env:"UPLOAD_CONTENT_TYPE" envDefault:"multipart/form-data; boundary=Bounday---------------------------7d318fd100112" form:"header"`
	UploadParameters  Parameters `env:"UPLOAD_PARAMETERS"`
}

// Coding is the version of a code list (编码版本) a hospital uses.
type Coding string

// The coding versions.
const (
	National Coding = "national" // 全国版
	Beijing  Coding = "beijing"  // 北京版
)

// On reports whether the channel is used.
func (c Channel) On() bool { return c.WatchDir != "" }

// Channels lists the channels that are on, hqms first.
func (c *Config) Channels() []Channel {
	return slices.DeleteFunc([]Channel{c.HQMS, c.Flu}, func(ch Channel) bool { return !ch.On() })
}

// Level is LOG_LEVEL as slog has it.
func (c *Config) Level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(c.LogLevel)) // checked by oneof; info if it was refused
	return l
}

// CompressionLevel is the level 1 to 9; 0 means that the program chooses.
func (c *Config) CompressionLevel() int {
	if len(c.Compression) != 1 {
		return 0
	}
	return int(c.Compression[0] - '0')
}

// Warnings are what works but is probably not meant.
func (c *Config) Warnings() []Fault { return c.warnings }

// Option changes what Load insists on.
type Option func(*loading)

// ChannelsOptional is for the commands that need no channel (validate,
// healthcheck): that none is on, or lacks credentials, is no fault.
func ChannelsOptional() Option { return func(l *loading) { l.channelsOptional = true } }

// Load reads the configuration out of environ ("NAME=value", as os.Environ
// gives it). The error is a [Faults]; the Config is never nil and holds
// whatever could be read, so that the check command can go on.
func Load(environ []string, opts ...Option) (*Config, error) {
	l := &loading{fields: fields(), environ: environment(environ)}
	for _, o := range opts {
		o(l)
	}
	cfg := &Config{given: map[string]bool{}, files: map[string]string{}}
	if err := env.ParseWithOptions(cfg, env.Options{Environment: l.environ, FuncMap: l.parsers(), OnSet: l.onSet}); err != nil {
		// Our parsers never return errors; this is a wrong tag of Config.
		return cfg, fmt.Errorf("read environment: %w", err)
	}
	cfg.complete()
	for _, f := range l.fields {
		cfg.given[f.name] = l.environ[f.name] != "" || f.secret() && l.environ[f.name+"_FILE"] != ""
	}
	l.secretFiles(cfg)
	l.unknownNames()
	l.across(cfg)
	cfg.warnings = l.warnings
	if len(l.faults) == 0 {
		return cfg, nil
	}
	slices.SortStableFunc(l.faults, func(a, b Fault) int { return strings.Compare(a.Variable, b.Variable) })
	return cfg, Faults(l.faults)
}

// complete fills what a tag cannot say: names and defaults that differ by channel.
func (c *Config) complete() {
	c.HQMS.Name, c.Flu.Name = upload.HQMS, upload.Flu
	for _, ch := range []*Channel{&c.HQMS, &c.Flu} {
		if ch.ServerURL.IsZero() {
			ch.ServerURL = defaultServer(ch.Name)
		}
	}
}

// environment makes a map of environ; values are trimmed, the last of a name wins.
func environment(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			m[name] = strings.TrimSpace(value)
		}
	}
	return m
}
