{{/* Where the lock service is: for the service, the test and the canary. */}}

{{/* URL without credentials; empty when there is no lock service. */}}
{{- define "ingot.redis.lockUrl" -}}
{{ .Values.redis.external.url }}
{{- end -}}

{{- define "ingot.redis.env" -}}
{{- with include "ingot.redis.lockUrl" . }}
- name: INGOT_LOCK_URL
  value: {{ . }}
{{- end }}
{{- end -}}

{{- define "ingot.redis.volumes" -}}{{- end -}}
{{- define "ingot.redis.volumeMounts" -}}{{- end -}}
