{{/* Dashboards of Grafana. The same file is in both charts. */}}

{{/*
(dict "context" $ "path" FILE "name" NAME "values" DICT): a file of files/dashboards/ for one release. Its identity and title
have the namespace and the name, so that several releases can have one. `values` are the first values of its variables.
*/}}
{{- define "ingot.dashboard" -}}
{{- $board := .context.Files.Get .path | mustFromJson -}}
{{- $owner := printf "%s/%s" .context.Release.Namespace .name -}}
{{- $_ := set $board "uid" (printf "%s-%s" $board.uid (sha256sum $owner | trunc 12)) -}}
{{- $_ := set $board "title" (printf "%s (%s)" $board.title $owner) -}}
{{- range $variable := $board.templating.list -}}
{{- with get $.values $variable.name -}}
{{- $_ := set $variable "current" (dict "text" . "value" .) -}}
{{- end -}}
{{- end -}}
{{- mustToJson $board -}}
{{- end -}}
