package compose

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
)

var (
	assignment   = regexp.MustCompile(`(?m)^#?([A-Z][A-Z0-9_]*)=(.*)$`)
	interpolated = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*)`)
)

// composes are the variables that the compose files ask for.
func composes(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{"COMPOSE_FILE": true}
	for _, file := range []string{"docker-compose.yml", "deploy/compose/his-volume.yml", "deploy/compose/his-directory.yml"} {
		for _, m := range interpolated.FindAllStringSubmatch(read(t, file), -1) {
			found[m[1]] = true
		}
	}
	return found
}

// owns are the program's.
func owns() map[string]bool {
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
		if v.Secret {
			known[v.Name+"_FILE"] = true
		}
	}
	return known
}

func TestVariablesOfTheExampleAreTheProgramsOrComposes(t *testing.T) {
	t.Parallel()
	own, compose, seen := owns(), composes(t), map[string]bool{}
	for _, m := range assignment.FindAllStringSubmatch(read(t, ".env.example"), -1) {
		seen[m[1]] = true
		if !own[m[1]] && !compose[m[1]] {
			t.Errorf(".env.example: nobody knows %s", m[1])
		}
		if strings.ContainsAny(m[2], `#"'`) {
			t.Errorf(".env.example: %s: old versions of compose take quotes and comments for a part of the value", m[0])
		}
	}
	for _, m := range assignment.FindAllStringSubmatch(read(t, "deploy/compose/demo.env"), -1) {
		if !own[m[1]] {
			t.Errorf("demo.env: the program does not know %s", m[1])
		}
	}
	for name := range compose {
		if !seen[name] && !strings.HasSuffix(name, "_PORT") && name != "API_PORT_2" {
			t.Errorf(".env.example does not tell of %s", name)
		}
	}
}

// The file is given to the program whole, compose's variables too.
func TestExampleFilledInIsTaken(t *testing.T) {
	t.Parallel()
	secrets := t.TempDir()
	for name, content := range map[string]string{
		"hqms_password": "secret", "flu_password": "secret", "api_token": "token", "database_url": "postgres://u:p@db/d",
		"alert_webhook": "https://oapi.dingtalk.com/robot/send?access_token=x",
	} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := regexp.MustCompile(`(?m)^#([A-Z][A-Z0-9_]*=)`).ReplaceAllString(read(t, ".env.example"), "$1")
	text = strings.ReplaceAll(text, "/run/secrets", secrets)
	var environ []string
	for _, m := range assignment.FindAllStringSubmatch(text, -1) {
		value := m[2]
		if strings.HasSuffix(m[1], "_ACCOUNT") {
			value = "13800000000"
		}
		environ = append(environ, m[1]+"="+value)
	}
	cfg, err := config.Load(append(environ, "LISTEN_ADDR=:8080", "STATE_DIR="+t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Channels()) != 2 || len(cfg.Warnings()) != 0 {
		t.Errorf("channels %v, warnings %v", cfg.Channels(), cfg.Warnings())
	}
}
