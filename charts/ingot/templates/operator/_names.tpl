{{/*
"true" if the release has objects for the operator. A RedisTopology describes at most 100 servers, and no independent ones:
they have no roles to observe.
*/}}
{{- define "ingot.operator.on" -}}
{{- $resources := .Values.operator.resources -}}
{{- if and (include "ingot.redis.own" .) (ne .Values.redis.mode "redlock") (le (int (include "ingot.redis.count" .)) 100) -}}
{{- if eq $resources "always" -}}
true
{{- else if and (eq $resources "auto") (.Capabilities.APIVersions.Has "ingot.dev/v1alpha1/RedisTopology") -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Services that the operator maintains, as a list. Clients of a cluster need none. */}}
{{- define "ingot.operator.services" -}}
{{- if ne (include "ingot.redis.mode" .) "cluster" -}}
{{- $set := include "ingot.redis.name" . -}}
{{- list (printf "%s-primary" $set) (printf "%s-replicas" $set) | toYaml -}}
{{- end -}}
{{- end -}}

{{/* The pods of the Redis servers, as a list. */}}
{{- define "ingot.operator.pods" -}}
{{- $pods := list -}}
{{- range $i := until (int (include "ingot.redis.count" .)) -}}
{{- $pods = append $pods (printf "%s-%d" (include "ingot.redis.name" $) $i) -}}
{{- end -}}
{{- toYaml $pods -}}
{{- end -}}

{{/* The Secrets that the operator reads, as a list. */}}
{{- define "ingot.operator.secrets" -}}
{{- $secrets := list (include "ingot.redis.secretName" .) -}}
{{- if .Values.redis.tls.enabled -}}
{{- $secrets = append $secrets (include "ingot.redis.tlsSecretName" .) -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{- define "ingot.validateOperator" -}}
{{- $v := .Values -}}
{{- if eq $v.operator.resources "always" -}}
{{- if not (include "ingot.redis.own" .) -}}
{{- fail "operator.resources is always, and redis.mode is external, so there is no Redis for the operator: set operator.resources=auto" -}}
{{- end -}}
{{- if eq (include "ingot.redis.mode" .) "redlock" -}}
{{- fail "operator.resources is always, and the servers of redis.mode=redlock have no roles that an operator could observe: set operator.resources=auto" -}}
{{- end -}}
{{- if gt (int (include "ingot.redis.count" .)) 100 -}}
{{- fail (printf "operator.resources is always, and redis.cluster has %s servers: the operator supports at most 100. Set operator.resources=never" (include "ingot.redis.count" .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
