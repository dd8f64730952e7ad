package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

func TestSettingsOfAlertsAreRefusedWithWordsAndWithoutTheirSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	const robot = "ALERT_WEBHOOK_URL=https://robot.example.org/send?access_token=" + taint
	for name, c := range map[string]struct {
		set  []string
		want string
	}{
		"address without scheme":        {[]string{"ALERT_WEBHOOK_URL=robot.example.org/" + taint}, "ALERT_WEBHOOK_URL bad_webhook"},
		"address of another scheme":     {[]string{"ALERT_WEBHOOK_URL=ftp://robot.example.org/" + taint}, "ALERT_WEBHOOK_URL bad_webhook"},
		"address without host":          {[]string{"ALERT_WEBHOOK_URL=https:///" + taint}, "ALERT_WEBHOOK_URL bad_webhook"},
		"address that is none":          {[]string{"ALERT_WEBHOOK_URL=https://%zz/" + taint}, "ALERT_WEBHOOK_URL bad_webhook"},
		"DingTalk without its token":    {[]string{"ALERT_FORMAT=dingtalk", "ALERT_WEBHOOK_URL=https://oapi.dingtalk.com/robot/send?x=" + taint}, "ALERT_WEBHOOK_URL webhook_token"},
		"WeCom with DingTalk's address": {[]string{"ALERT_FORMAT=wecom", robot}, "ALERT_WEBHOOK_URL webhook_token"},
		"Feishu without its hook":       {[]string{"ALERT_FORMAT=feishu", "ALERT_WEBHOOK_URL=https://open.feishu.cn/open-apis/bot/v2/hook/"}, "ALERT_WEBHOOK_URL webhook_token"},
		"both forms of the address":     {[]string{robot, "ALERT_WEBHOOK_URL_FILE=" + empty}, "ALERT_WEBHOOK_URL both_forms"},
		"address in an empty file":      {[]string{"ALERT_WEBHOOK_URL_FILE=" + empty}, "ALERT_WEBHOOK_URL_FILE secret_empty"},
		"address in no file":            {[]string{"ALERT_WEBHOOK_URL_FILE=" + dir + "/no-such"}, "ALERT_WEBHOOK_URL_FILE file_unreadable"},
		"secret without an address":     {[]string{"ALERT_SECRET=" + taint}, "ALERT_SECRET needs"},
		"secret of two lines":           {[]string{robot, "ALERT_SECRET=" + taint + "\n" + taint}, "ALERT_SECRET secret_control"},
		"a slip in the format":          {[]string{"ALERT_FORMAT=dingtak"}, "ALERT_FORMAT bad_choice_near"},
		"no such format":                {[]string{"ALERT_FORMAT=pigeon"}, "ALERT_FORMAT bad_choice"},
		"no such language":              {[]string{"ALERT_LANGUAGE=fr"}, "ALERT_LANGUAGE bad_choice"},
		"no such severity":              {[]string{"ALERT_MIN_SEVERITY=info"}, "ALERT_MIN_SEVERITY bad_choice"},
		"quiet hours without minutes":   {[]string{"ALERT_QUIET_HOURS=22-07"}, "ALERT_QUIET_HOURS bad_clock"},
		"quiet hours of no length":      {[]string{"ALERT_QUIET_HOURS=22:00-22:00"}, "ALERT_QUIET_HOURS empty_span"},
		"grouped without unit":          {[]string{"ALERT_GROUP_WAIT=30"}, "ALERT_GROUP_WAIT bad_duration"},
		"grouped for too long":          {[]string{"ALERT_GROUP_WAIT=2h"}, "ALERT_GROUP_WAIT out_of_range"},
		"repeated backwards":            {[]string{"ALERT_REPEAT=-4h"}, "ALERT_REPEAT out_of_range"},
		"offline at once":               {[]string{"ALERT_OFFLINE_AFTER=0s"}, "ALERT_OFFLINE_AFTER out_of_range"},
		"expiry in days":                {[]string{"ALERT_EXPIRY_BEFORE=30d"}, "ALERT_EXPIRY_BEFORE bad_duration"},
		"expiry too far ahead":          {[]string{"ALERT_EXPIRY_BEFORE=9000h"}, "ALERT_EXPIRY_BEFORE out_of_range"},
		"authority that is not there":   {[]string{"ALERT_CA_FILE=" + dir + "/no-such"}, "ALERT_CA_FILE file_unreadable"},
		"links that are none":           {[]string{"PUBLIC_URL=hqms.example.org"}, "PUBLIC_URL bad_url"},
		"a day that is none":            {[]string{"FLU_PASSWORD_EXPIRES=2026-02-30"}, "FLU_PASSWORD_EXPIRES bad_date"},
		"a slip in the name":            {[]string{"ALERT_WEBHOOK=https://x.example.org/" + taint}, "ALERT_WEBHOOK unknown_near"},
	} {
		if got := faultsOf(t, good(c.set...)); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %s", name, got, c.want)
			continue
		}
		_, err := Load(good(c.set...))
		faults, _ := errors.AsType[Faults](err)
		var printed bytes.Buffer
		must(t, faults.Print(&printed))
		variable, _, _ := strings.Cut(c.want, " ")
		if strings.Contains(printed.String(), taint) || !strings.Contains(printed.String(), variable) {
			t.Errorf("%s: a secret is shown, or the variable is not: %s", name, printed.String())
		}
		for _, lang := range phrase.Langs() {
			for _, words := range []string{faults[0].Text(lang), faults[0].Remedy(lang)} {
				if words == "" || strings.ContainsAny(words, "{}") || !strings.Contains(printed.String(), words) {
					t.Errorf("%s: %q is not said, or not filled in", name, words)
				}
			}
		}
		if faults[0].Text(phrase.Chinese) == faults[0].Text(phrase.English) || faults[0].Remedy(phrase.Chinese) == faults[0].Remedy(phrase.English) {
			t.Errorf("%s is said in one language alone", name)
		}
	}
}

func TestEveryVariableOfAlertsIsTriedWithABadValue(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("alerts_test.go")
	must(t, err)
	for _, f := range fields() {
		if strings.HasPrefix(f.name, "ALERT_") && !strings.Contains(string(source), `"`+f.name+" ") {
			t.Errorf("no bad value of %s is tried", f.name)
		}
	}
}
