{{- define "ingot.postgres.name" -}}
{{ include "ingot.fullname" . }}-postgres
{{- end -}}

{{- define "ingot.postgres.secret" -}}
{{ .Values.postgres.existingSecret | default (include "ingot.postgres.name" .) }}
{{- end -}}

{{/* POSTGRES_PASSWORD must come first in the environment. A password from an existing Secret must not need percent-encoding. */}}
{{- define "ingot.postgres.url" -}}
postgres://ingot:$(POSTGRES_PASSWORD)@{{ include "ingot.postgres.name" . }}:5432/ingot
{{- end -}}
