{{/* The Secret with the token of the export; empty if the API needs no token. */}}
{{- define "ingot.export.tokenSecret" -}}
{{- if eq .Values.access.mode "token" -}}
{{- .Values.export.token.existingSecret | default (include "ingot.tokenSecret" .) -}}
{{- end -}}
{{- end -}}
