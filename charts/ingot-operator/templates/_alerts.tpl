{{/* Rules of Prometheus. The same file is in both charts. */}}

{{/*
(dict "context" $ "matchers" DICT): the groups of files/alerts.yaml. Each key of `matchers` is a piece of a selector in that
file, its value the replacement. metrics.prometheusRule.timeScale multiplies `for`, windows and offsets.
*/}}
{{- define "ingot.alerts.groups" -}}
{{- $text := .context.Files.Get "files/alerts.yaml" -}}
{{- range $piece, $matcher := .matchers -}}
{{- $text = replace $piece $matcher $text -}}
{{- end -}}
{{- $scale := .context.Values.metrics.prometheusRule.timeScale | float64 -}}
{{- $file := $text | fromYaml -}}
{{- if ne $scale 1.0 -}}
{{- range $group := $file.groups -}}
{{- range $rule := $group.rules -}}
{{- with $rule.for -}}
{{- $_ := set $rule "for" (include "ingot.alerts.duration" (dict "duration" . "scale" $scale)) -}}
{{- end -}}
{{- $_ := set $rule "expr" (include "ingot.alerts.windows" (dict "expr" $rule.expr "scale" $scale)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (pick $file "groups") -}}
{{- end -}}

{{/* (dict "expr" TEXT "scale" NUMBER): the expression with scaled windows and offsets. A scaled duration is in seconds, so it is not scaled again. */}}
{{- define "ingot.alerts.windows" -}}
{{- $expr := .expr -}}
{{- range $found := regexFindAll "(\\[|offset )[0-9]+[mhd]" .expr -1 | uniq -}}
{{- $duration := regexFind "[0-9]+[mhd]" $found -}}
{{- $scaled := include "ingot.alerts.duration" (dict "duration" $duration "scale" $.scale) -}}
{{- $expr = replace $found (replace $duration $scaled $found) $expr -}}
{{- end -}}
{{- $expr -}}
{{- end -}}

{{/* (dict "duration" TEXT "scale" NUMBER): the duration in whole seconds, at least one. */}}
{{- define "ingot.alerts.duration" -}}
{{- $seconds := dict "m" 60 "h" 3600 "d" 86400 -}}
{{- $number := regexFind "^[0-9]+" .duration -}}
{{- max 1 (mulf (int $number) (get $seconds (trimPrefix $number .duration)) .scale | ceil | int) }}s
{{- end -}}
