package app

import (
	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/telemetry"
)

// recentLines shows the log's latest lines.
func (a *App) recentLines(q httpapi.LogQuery) (lines []httpapi.LogLine, more bool) {
	found, more := a.telemetry.Recent().Lines(telemetry.Asked(q))
	for _, l := range found {
		lines = append(lines, httpapi.LogLine(l))
	}
	return lines, more
}

// settings shows the settings in effect.
func (a *App) settings() []httpapi.Setting {
	var all []httpapi.Setting
	for _, s := range a.cfg.Settings() {
		source := "environment"
		switch {
		case s.File:
			source = "file"
		case s.Default:
			source = "default"
		}
		all = append(all, httpapi.Setting{Variable: s.Name, Value: s.Value, Source: source, Secret: s.Secret, Meaning: s.Meaning})
	}
	return all
}
