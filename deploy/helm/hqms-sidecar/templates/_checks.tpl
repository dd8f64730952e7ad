{{- /* What cannot work is refused here, with the remedy, before anything is installed. */ -}}
{{- define "hqms-sidecar.checks" -}}
{{- $v := .Values -}}
{{- include "hqms-sidecar.checkNames" . -}}
{{- if and (eq $v.mode "standalone") (ne (int $v.replicas) 1) -}}
{{- fail "\n\nstandalone 用 SQLite，只能有 1 个副本。补救：replicas: 1；要多副本，用 mode: shared，并给出 DATABASE_URL 与 RWX 卷。\nstandalone keeps its journal in SQLite and can have 1 replica only. Remedy: replicas: 1; for several, mode: shared with DATABASE_URL and an RWX volume.\n" -}}
{{- end -}}
{{- $keys := include "hqms-sidecar.secretKeys" . | fromJsonArray -}}
{{- $database := has "DATABASE_URL" $keys -}}
{{- if and (eq $v.mode "shared") (not $database) -}}
{{- fail "\n\nshared 需要 PostgreSQL。补救：把 DATABASE_URL 放进 Secret，并写入 secrets.keys（或 secrets.create）。\nshared needs PostgreSQL. Remedy: put DATABASE_URL into the Secret and into secrets.keys (or secrets.create).\n" -}}
{{- end -}}
{{- if and (eq $v.mode "shared") (not (or $v.state.exportSubPath $v.state.existingClaim (has "ReadWriteMany" $v.state.accessModes))) -}}
{{- fail "\n\nshared 的各副本要共用状态目录。补救：state.exportSubPath，或 RWX 的 state.existingClaim，或 state.accessModes: [ReadWriteMany]。\nThe replicas of shared use one state directory. Remedy: state.exportSubPath, or an RWX state.existingClaim, or state.accessModes: [ReadWriteMany].\n" -}}
{{- end -}}
{{- if and (ne $v.mode "inject") (not $v.export.existingClaim) -}}
{{- fail "\n\n缺少导出卷。补救：export.existingClaim: <HIS 导出用的 PVC>。\nThe export volume is missing. Remedy: export.existingClaim: <the claim the HIS exports into>.\n" -}}
{{- end -}}
{{- if not (or $v.secrets.existing $v.secrets.create $v.secrets.csi.providerClass) -}}
{{- fail "\n\n没有账号与密码。补救：secrets.existing（已有的 Secret）、secrets.create 或 secrets.csi.providerClass。\nThere are no credentials. Remedy: secrets.existing (a Secret that exists), secrets.create or secrets.csi.providerClass.\n" -}}
{{- end -}}
{{- include "hqms-sidecar.checkReadOnly" . -}}
{{- if $v.preflight -}}{{- include "hqms-sidecar.preflight" . -}}{{- end -}}
{{- end }}

{{- define "hqms-sidecar.checkReadOnly" -}}
{{- if .Values.export.readOnly -}}
{{- range $c := list "HQMS" "FLU" -}}
{{- if get $.Values.env (printf "%s_WATCH_DIR" $c) -}}
{{- range $k := list "ON_ACCEPTED" "ON_REJECTED" -}}
{{- if ne (get $.Values.env (printf "%s_%s" $c $k) | toString) "keep" -}}
{{- fail (printf "\n\n只读导出卷需要 env.%s_%s: keep。\nA read-only export needs env.%s_%s: keep.\n" $c $k $c $k) -}}
{{- end -}}{{- end -}}{{- end -}}{{- end -}}{{- end -}}
{{- end }}

{{- /* files/variables.txt is generated from the program: one variable a line, secrets marked. */ -}}
{{- define "hqms-sidecar.checkNames" -}}
{{- $plain := list -}}{{- $secret := list -}}
{{- range $line := .Files.Lines "files/variables.txt" -}}
{{- if hasSuffix " secret" $line -}}{{- $secret = append $secret (trimSuffix " secret" $line) -}}
{{- else if $line -}}{{- $plain = append $plain $line -}}{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.env -}}
{{- if has $name $secret -}}
{{- fail (printf "\n\nenv.%s 是保密项。补救：放进 secrets，不要写在 env。\nenv.%s is a secret. Remedy: put it into secrets, not into env.\n" $name $name) -}}
{{- else if eq $name "STATE_DIR" -}}
{{- fail "\n\nSTATE_DIR 由 chart 设定（state.*）。\nSTATE_DIR is set by the chart (state.*).\n" -}}
{{- else if not (has $name $plain) -}}
{{- fail (printf "\n\nenv.%s：程序没有这个变量。补救：见 docs/configuration.md；OTEL_* 写在 otel。\nenv.%s: the program has no such variable. Remedy: see docs/configuration.md; OTEL_* goes into otel.\n" $name $name) -}}
{{- end -}}{{- end -}}
{{- $given := .Values.secrets.keys -}}
{{- if .Values.secrets.create -}}{{- $given = keys .Values.secrets.create -}}{{- end -}}
{{- range $name := $given -}}
{{- if not (has $name $secret) -}}
{{- fail (printf "\n\nsecrets：没有保密项 %s。可用：%s\nsecrets: there is no secret %s. Known: %s\n" $name (join " " $secret) $name (join " " $secret)) -}}
{{- end -}}{{- end -}}
{{- end }}

{{- /* Asks the cluster, where there is one (helm template has none). */ -}}
{{- define "hqms-sidecar.preflight" -}}
{{- $ns := .Release.Namespace -}}
{{- if lookup "v1" "Namespace" "" $ns -}}
{{- if and .Values.secrets.existing (not .Values.secrets.create) -}}
{{- $found := lookup "v1" "Secret" $ns .Values.secrets.existing -}}
{{- if not $found -}}
{{- fail (printf "\n\n命名空间 %s 里没有 Secret %q。补救：kubectl -n %s create secret generic %s --from-file=HQMS_PASSWORD=… \nThere is no Secret %q in namespace %s. Remedy: the command above.\n" $ns .Values.secrets.existing $ns .Values.secrets.existing .Values.secrets.existing $ns) -}}
{{- end -}}
{{- range $k := include "hqms-sidecar.secretKeys" . | fromJsonArray -}}
{{- if not (hasKey ($found.data | default dict) $k) -}}
{{- fail (printf "\n\nSecret %q 缺少键 %s。补救：加上该键，或从 secrets.keys 去掉。\nSecret %q lacks the key %s. Remedy: add it, or take it out of secrets.keys.\n" $.Values.secrets.existing $k $.Values.secrets.existing $k) -}}
{{- end -}}{{- end -}}{{- end -}}
{{- range $field, $claim := dict "export.existingClaim" .Values.export.existingClaim "state.existingClaim" .Values.state.existingClaim -}}
{{- if and $claim (not (lookup "v1" "PersistentVolumeClaim" $ns $claim)) -}}
{{- fail (printf "\n\n命名空间 %s 里没有 PVC %q（%s）。补救：kubectl -n %s get pvc 查看名字，或先建 PVC。\nThere is no claim %q in namespace %s (%s). Remedy: look with kubectl -n %s get pvc, or create it first.\n" $ns $claim $field $ns $claim $ns $field $ns) -}}
{{- end -}}{{- end -}}
{{- if eq .Values.mode "shared" -}}
{{- range $claim := list .Values.export.existingClaim .Values.state.existingClaim -}}
{{- if $claim -}}
{{- $modes := (lookup "v1" "PersistentVolumeClaim" $ns $claim).spec.accessModes -}}
{{- if not (has "ReadWriteMany" $modes) -}}
{{- fail (printf "\n\nshared 需要 RWX 卷，PVC %q 不是（%s）。补救：用 ReadWriteMany 的存储（NFS、CephFS）。\nshared needs an RWX volume, claim %q is none (%s). Remedy: storage with ReadWriteMany (NFS, CephFS).\n" $claim (join "," $modes) $claim (join "," $modes)) -}}
{{- end -}}{{- end -}}{{- end -}}{{- end -}}
{{- end -}}
{{- end }}
