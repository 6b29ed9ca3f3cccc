{{/* What all pods have in common: restricted pod security, and seconds out of a duration. */}}

{{/* Of a user's number. */}}
{{- define "ingot.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "ingot.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Whole seconds, rounded up, of a duration as the service takes it: 500ms, 30s, 5m, 24h, 1d. */}}
{{- define "ingot.seconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $number := trimSuffix $unit . -}}
{{- $milliseconds := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- divf (mulf $number (index $milliseconds $unit)) 1000 | ceil | int -}}
{{- end -}}

{{/* Of (dict "context" $ "key" NAME): a duration of the configuration in seconds, its default included. */}}
{{- define "ingot.configSeconds" -}}
{{- $defaults := dict "drain" "25s" "drainDelay" "0s" "startWait" "0s" -}}
{{- include "ingot.seconds" (index .context.Values.config .key | default (index $defaults .key)) -}}
{{- end -}}

{{/* Of a storage value: spec of a claim. */}}
{{- define "ingot.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .className }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end -}}
