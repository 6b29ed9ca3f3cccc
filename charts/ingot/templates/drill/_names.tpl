{{/* The account of drills. The operator finds it by this name. */}}
{{- define "ingot.drill.name" -}}
{{- printf "%s-drill" (include "ingot.fullname" .) -}}
{{- end -}}

{{/* StatefulSets of the release, as a list. */}}
{{- define "ingot.drill.sets" -}}
{{- $sets := list -}}
{{- if include "ingot.redis.own" . -}}
{{- $sets = append $sets (include "ingot.redis.name" .) -}}
{{- if eq (include "ingot.redis.mode" .) "sentinel" }}{{ $sets = append $sets (include "ingot.redis.sentinelName" .) }}{{ end -}}
{{- end -}}
{{- if include "ingot.hasPostgres" . }}{{ $sets = append $sets (printf "%s-postgres" (include "ingot.fullname" .)) }}{{ end -}}
{{- toYaml $sets -}}
{{- end -}}

{{/* (dict "context" $ "kind" Role|ClusterRole "name" NAME "account" NAME "namespace" NAMESPACE): binds the role. */}}
{{- define "ingot.drill.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  {{- include "ingot.metadata" (dict "context" .context "component" "drill" "name" .name) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ .account | quote }}
    namespace: {{ .namespace | quote }}
{{- end -}}

{{- define "ingot.validateDrills" -}}
{{- if and .Values.drills.enabled (eq (include "ingot.redis.mode" .) "redlock") -}}
{{- fail "drills.enabled=true needs a Redis with roles, and the servers of redis.mode=redlock have none: disable it" -}}
{{- end -}}
{{- range $key := list "exec" "nodes" "processes" -}}
{{- if and (index $.Values.drills $key) (not $.Values.drills.enabled) -}}
{{- fail (printf "drills.%s has no effect without drills.enabled: set drills.enabled=true" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
