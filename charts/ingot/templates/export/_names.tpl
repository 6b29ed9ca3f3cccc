{{/* The Secret with the token of the export; empty when the API asks for none. */}}
{{- define "ingot.export.tokenSecret" -}}
{{- if eq .Values.access.mode "token" -}}
{{- .Values.export.token.existingSecret | default (include "ingot.tokenSecret" .) -}}
{{- end -}}
{{- end -}}
