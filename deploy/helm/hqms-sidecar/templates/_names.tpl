{{- define "hqms-sidecar.fullname" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{- $name := default "hqms-sidecar" .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- end }}

{{- define "hqms-sidecar.selector" -}}
app.kubernetes.io/name: {{ default "hqms-sidecar" .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hqms-sidecar.labels" -}}
{{ include "hqms-sidecar.selector" . }}
app.kubernetes.io/version: {{ default .Chart.AppVersion .Values.image.tag | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "hqms-sidecar.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{- end -}}
{{- end }}

{{- define "hqms-sidecar.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "hqms-sidecar.fullname" .) .Values.serviceAccount.name }}
{{- else -}}{{ default "default" .Values.serviceAccount.name }}{{- end -}}
{{- end }}

{{- /* The port of LISTEN_ADDR. */ -}}
{{- define "hqms-sidecar.port" -}}
{{- (get .Values.env "LISTEN_ADDR" | default ":8080" | toString) | splitList ":" | last -}}
{{- end }}

{{- define "hqms-sidecar.scheme" -}}
{{- if get .Values.env "TLS_CERT_FILE" -}}HTTPS{{- else -}}HTTP{{- end -}}
{{- end }}

{{- define "hqms-sidecar.secretName" -}}
{{- if .Values.secrets.create -}}{{ include "hqms-sidecar.fullname" . }}{{- else -}}{{ .Values.secrets.existing }}{{- end -}}
{{- end }}

{{- /* Names of the secrets that are mounted, without those of channels that are off: a JSON list. */ -}}
{{- define "hqms-sidecar.secretKeys" -}}
{{- $keys := list -}}
{{- $all := .Values.secrets.keys -}}
{{- if .Values.secrets.create -}}{{- $all = keys .Values.secrets.create | sortAlpha -}}{{- end -}}
{{- range $k := $all -}}
{{- $off := or (and (hasPrefix "FLU_" $k) (not (get $.Values.env "FLU_WATCH_DIR"))) (and (hasPrefix "HQMS_" $k) (not (get $.Values.env "HQMS_WATCH_DIR"))) -}}
{{- if not $off -}}{{- $keys = append $keys $k -}}{{- end -}}
{{- end -}}
{{- $keys | toJson -}}
{{- end }}

{{- define "hqms-sidecar.stateClaim" -}}
{{- default (printf "%s-state" (include "hqms-sidecar.fullname" .)) .Values.state.existingClaim -}}
{{- end }}
