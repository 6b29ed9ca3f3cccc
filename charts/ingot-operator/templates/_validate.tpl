{{/* Refuses values that are valid alone but contradict each other. Each message says what to do. */}}
{{- define "ingot-operator.validate" -}}
{{- $v := .Values -}}
{{- $name := include "ingot-operator.fullname" . -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- fail (printf "names of this release would begin with %q, and a Service must begin with a letter: set fullnameOverride" $name) -}}
{{- end -}}
{{- if and (not $v.serviceAccount.create) $v.serviceAccount.annotations -}}
{{- fail "serviceAccount.annotations has no effect on an account that the chart does not create: annotate the account itself, or set serviceAccount.create=true" -}}
{{- end -}}
{{- range $path, $labels := dict "commonLabels" $v.commonLabels "podLabels" $v.podLabels -}}
{{- range list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
{{- if hasKey $labels . -}}
{{- fail (printf "%s sets %s, which the chart uses to select pods: use another label" $path .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range concat (include "ingot-operator.env" . | fromYamlArray) ($v.extraEnv | default list) -}}
{{- if has .name $names -}}
{{- fail (printf "extraEnv sets %s, which is set already: set each variable once, and use the chart's own values where they exist" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
