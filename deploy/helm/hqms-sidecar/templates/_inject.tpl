{{- /*
Three templates for the pod of a HIS, whose chart has this one as a dependency with mode: inject:

  initContainers: {{- include "hqms-sidecar.initContainers" (index .Subcharts "hqms-sidecar") | nindent 2 }}
  containers:     {{- include "hqms-sidecar.containers" (index .Subcharts "hqms-sidecar") | nindent 2 }}
  volumes:        {{- include "hqms-sidecar.volumes" (index .Subcharts "hqms-sidecar") | nindent 2 }}

From Kubernetes 1.29 on the sidecar is a native one (an init container that goes on): it starts before the HIS,
ends after it, and lets a Job end. Before that it is a container like others, and a Job does not end by itself.
*/ -}}
{{- define "hqms-sidecar.native" -}}
{{- if semverCompare ">=1.29.0-0" .Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- end }}

{{- define "hqms-sidecar.initContainers" -}}
{{- if include "hqms-sidecar.native" . -}}
- restartPolicy: Always
  {{- include "hqms-sidecar.container" . | nindent 2 }}
{{- end -}}
{{- end }}

{{- define "hqms-sidecar.containers" -}}
{{- if not (include "hqms-sidecar.native" .) -}}
-{{ include "hqms-sidecar.container" . | indent 2 | trimPrefix " " }}
{{- end -}}
{{- end }}

{{- define "hqms-sidecar.volumes" -}}
{{- include "hqms-sidecar.ownVolumes" . | trim -}}
{{- end }}
