{{/*
Values at their former places. The schema accepts them there, so that a sentence and not a rule of the schema refuses
them. All are named at once.
*/}}
{{- define "ingot.refuseMoved" -}}
{{- $moved := dict
  "replicaCount" "service.replicas"
  "autoscaling" "service.autoscaling"
  "config" "service.config"
  "extraEnv" "service.extraEnv"
  "resources" "service.resources"
  "affinity" "service.affinity"
  "topologySpread" "service.topologySpread"
  "podDisruptionBudget" "service.podDisruptionBudget" -}}
{{- $found := list -}}
{{- range $old, $new := $moved -}}
{{- if hasKey $.Values $old -}}
{{- $found = append $found (printf "%s is now %s" $old $new) -}}
{{- end -}}
{{- end -}}
{{- with $found -}}
{{- fail (printf "all settings of the service are under service: %s. With `helm upgrade --reuse-values` the old defaults come along; use --reset-then-reuse-values" (join ", " .)) -}}
{{- end -}}
{{- end -}}
