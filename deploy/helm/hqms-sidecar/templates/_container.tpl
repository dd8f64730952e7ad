{{- define "hqms-sidecar.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.runAsUser }}
runAsGroup: {{ .Values.podSecurity.runAsGroup }}
fsGroup: {{ .Values.podSecurity.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
{{- with .Values.podSecurity.supplementalGroups }}
supplementalGroups: {{ toJson . }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "hqms-sidecar.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.runAsUser }}
runAsGroup: {{ .Values.podSecurity.runAsGroup }}
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* Nine tenths of the memory limit, for Go's runtime; nothing where the limit has another unit. */ -}}
{{- define "hqms-sidecar.memoryLimit" -}}
{{- $limit := dig "limits" "memory" "" .Values.resources | toString -}}
{{- if regexMatch "^[0-9]+Mi$" $limit -}}{{ div (mul (trimSuffix "Mi" $limit | int) 9) 10 }}MiB
{{- else if regexMatch "^[0-9]+Gi$" $limit -}}{{ div (mul (trimSuffix "Gi" $limit | int) 9216) 10 }}MiB{{- end -}}
{{- end }}

{{- define "hqms-sidecar.env" -}}
- {name: STATE_DIR, value: /var/lib/hqms}
{{- with include "hqms-sidecar.memoryLimit" . }}
- {name: GOMEMLIMIT, value: {{ . }}}
{{- end }}
{{- range $k := include "hqms-sidecar.secretKeys" . | fromJsonArray }}
- {name: {{ $k }}_FILE, value: /run/secrets/hqms/{{ $k }}}
{{- end }}
{{- end }}

{{- define "hqms-sidecar.mounts" -}}
- name: {{ eq .Values.mode "inject" | ternary .Values.export.volumeName "export" }}
  mountPath: {{ .Values.export.mountPath }}
  {{- with .Values.export.subPath }}
  subPath: {{ . }}
  {{- end }}
  {{- if .Values.export.readOnly }}
  readOnly: true
  {{- end }}
{{- if .Values.state.exportSubPath }}
- name: {{ eq .Values.mode "inject" | ternary .Values.export.volumeName "export" }}
  mountPath: /var/lib/hqms
  subPath: {{ .Values.state.exportSubPath }}
{{- else }}
- {name: hqms-state, mountPath: /var/lib/hqms}
{{- end }}
- {name: hqms-secrets, mountPath: /run/secrets/hqms, readOnly: true}
- {name: hqms-tmp, mountPath: /tmp}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The volumes but that of the export. */ -}}
{{- define "hqms-sidecar.ownVolumes" -}}
{{- if not .Values.state.exportSubPath }}
- name: hqms-state
  persistentVolumeClaim: {claimName: {{ include "hqms-sidecar.stateClaim" . }}}
{{- end }}
- name: hqms-secrets
{{- if .Values.secrets.csi.providerClass }}
  csi:
    driver: {{ .Values.secrets.csi.driver }}
    readOnly: true
    volumeAttributes: {secretProviderClass: {{ .Values.secrets.csi.providerClass }}}
{{- else }}
  secret:
    secretName: {{ include "hqms-sidecar.secretName" . }}
    defaultMode: 0440
    items:
    {{- range $k := include "hqms-sidecar.secretKeys" . | fromJsonArray }}
    - {key: {{ $k }}, path: {{ $k }}}
    {{- end }}
{{- end }}
- name: hqms-tmp
  emptyDir: {sizeLimit: 64Mi}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "hqms-sidecar.probes" -}}
{{- $get := dict "port" "hqms-api" "scheme" (include "hqms-sidecar.scheme" .) -}}
startupProbe: {{ mergeOverwrite (dict "httpGet" (merge (dict "path" "/livez") $get)) (deepCopy .Values.probes.startup) | toJson }}
livenessProbe: {{ mergeOverwrite (dict "httpGet" (merge (dict "path" "/livez") $get)) (deepCopy .Values.probes.liveness) | toJson }}
readinessProbe: {{ mergeOverwrite (dict "httpGet" (merge (dict "path" "/readyz") $get)) (deepCopy .Values.probes.readiness) | toJson }}
{{- end }}

{{- define "hqms-sidecar.container" -}}
name: hqms-sidecar
image: {{ include "hqms-sidecar.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
envFrom:
- configMapRef: {name: {{ include "hqms-sidecar.fullname" . }}}
env:
{{ include "hqms-sidecar.env" . }}
ports:
- {name: hqms-api, containerPort: {{ include "hqms-sidecar.port" . }}}
{{ include "hqms-sidecar.probes" . }}
resources: {{ toJson .Values.resources }}
securityContext:
{{ include "hqms-sidecar.containerSecurity" . | indent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
{{ include "hqms-sidecar.mounts" . }}
{{- end }}

{{- /* A change of settings rolls the pods; a change of secrets does not: their files are read again. */ -}}
{{- define "hqms-sidecar.annotations" -}}
hqms-sidecar/settings: {{ list .Values.env .Values.otel | toJson | sha256sum | trunc 16 }}
{{- end }}
