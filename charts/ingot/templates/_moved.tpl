{{/*
Refuses values under their old names. The schema accepts these names, so that this message refuses them and not a rule of the
schema. The message lists all of them.
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
{{- if hasKey .Values.redis "external" -}}
{{- fail "the address of a lock service outside the release is now in lock: redis.external.url is lock.url, redis.external.existingSecret is lock.existingSecret, and redis.external.urlKey is lock.key" -}}
{{- end -}}
{{- with $found -}}
{{- fail (printf "all settings of the service are under service: %s. `helm upgrade --reuse-values` also keeps the old defaults; use --reset-then-reuse-values" (join ", " .)) -}}
{{- end -}}
{{- end -}}
