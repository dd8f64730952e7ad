package httpapi

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
)

// ListLogs gives one page of the log's latest lines.
func (h *handlers) ListLogs(_ context.Context, r api.ListLogsRequestObject) (api.ListLogsResponseObject, error) {
	p := r.Params
	q := LogQuery{Channel: or(p.Channel, ""), UploadID: or(p.UploadID, ""), Limit: or(p.Limit, defaultLimit)}
	if err := q.Level.UnmarshalText([]byte(or(p.Level, "debug"))); err != nil {
		return nil, err // the document lists the levels
	}
	if cursor := or(p.Cursor, ""); cursor != "" {
		before, err := strconv.ParseInt(cursor, 10, 64)
		if err != nil || before <= 0 {
			return nil, journal.ErrBadCursor
		}
		q.Before = before
	}
	var lines []LogLine
	more := false
	if h.Logs != nil {
		lines, more = h.Logs(q)
	}
	answer := api.ListLogs200JSONResponse{Items: each(lines, viewLine)}
	if more && len(lines) > 0 {
		answer.Next = orNil(strconv.FormatInt(lines[len(lines)-1].Seq, 10))
	}
	return answer, nil
}

func viewLine(l LogLine) api.LogLine {
	v := api.LogLine{Seq: l.Seq, Time: l.Time, Level: levelName(l.Level), Message: l.Message, Text: text("log."+l.Message, nil), Attributes: l.Attributes}
	if v.Attributes == nil {
		v.Attributes = map[string]any{}
	}
	return v
}

// levelName is the level's name in the document; one between two has the lower
// one's.
func levelName(l slog.Level) api.LogLineLevel {
	for _, known := range []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo} {
		if l >= known {
			return api.LogLineLevel(strings.ToLower(known.String()))
		}
	}
	return api.LogLineLevel(strings.ToLower(slog.LevelDebug.String()))
}

// GetConfiguration gives the settings in effect.
func (h *handlers) GetConfiguration(context.Context, api.GetConfigurationRequestObject) (api.GetConfigurationResponseObject, error) {
	var settings []Setting
	if h.Settings != nil {
		settings = h.Settings()
	}
	return api.GetConfiguration200JSONResponse{Items: each(settings, viewSetting)}, nil
}

// viewSetting shows no secret, whatever it was given.
func viewSetting(s Setting) api.Setting {
	v := api.Setting{Variable: s.Variable, Source: api.SettingSource(s.Source), Secret: s.Secret, Set: s.Value != ""}
	if meaning := text(s.Meaning, nil); meaning != nil {
		v.Meaning = *meaning
	}
	if !s.Secret {
		v.Value = orNil(s.Value)
	}
	return v
}
