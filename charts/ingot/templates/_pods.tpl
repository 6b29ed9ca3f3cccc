{{/*
Common parts of all pods. Each component has the same values for its pods (schema/values.json, definition "pod"). "values"
below are the values of the component. `int` prevents that Helm renders a large number as 1e+09.
*/}}

{{/* (dict "context" $ "component" NAME "values" VALUES "annotations" DICT): metadata of a pod, without the version of the chart: a new version alone must not restart a database. */}}
{{- define "ingot.podMetadata" -}}
{{- $common := .context.Values -}}
{{- $labels := include "ingot.selectorLabels" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "ingot" -}}
labels:
  {{- merge $labels (deepCopy .values.podLabels) $common.commonLabels | toYaml | nindent 2 }}
{{- with merge (deepCopy (.annotations | default dict)) .values.podAnnotations $common.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
(dict "context" $ "component" NAME "values" VALUES "userId" NUMBER "spread" LIST "affinity" DICT): the spec of a pod
without its containers, volumes and grace period. "spread" and "affinity" are defaults of the chart. Default: none.
*/}}
{{- define "ingot.podSpec" -}}
{{- $values := .values -}}
serviceAccountName: {{ include "ingot.serviceAccountName" .context | quote }}
automountServiceAccountToken: {{ or .context.Values.serviceAccount.automount (and (eq .component "service") (eq (include "ingot.lock.onLeases" .context) "true")) }}
# the environment of a pod should not depend on the Services of its namespace
enableServiceLinks: false
{{- if and .context.Values.drills.processes (has .component (list "service" "redis" "sentinel")) }}
shareProcessNamespace: true
{{- end }}
{{- include "ingot.pullSecrets" .context }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
securityContext:
  {{- include "ingot.podSecurity" . | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity | default $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "ingot.spread" . }}
topologySpreadConstraints:
  {{- . | nindent 2 }}
{{- end }}
{{- with $values.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The component's own constraints replace the chart's. A constraint without a selector gets that of the component. */}}
{{- define "ingot.spread" -}}
{{- $selector := dict "matchLabels" (include "ingot.selectorLabels" . | fromYaml) -}}
{{- $constraints := list -}}
{{- range .values.topologySpreadConstraints | default .spread -}}
{{- $constraints = append $constraints (hasKey . "labelSelector" | ternary . (set (deepCopy .) "labelSelector" $selector)) -}}
{{- end -}}
{{- with $constraints }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* "true" if the platform assigns the user of the pods. */}}
{{- define "ingot.arbitraryUser" -}}
{{- if eq (toString .Values.openshift) "auto" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}true{{- end -}}
{{- else if eq (toString .Values.openshift) "true" -}}true{{- end -}}
{{- end -}}

{{/* (dict "context" $ "values" VALUES "userId" NUMBER): the fields that the pod security standard `restricted` needs, merged with the component's own. */}}
{{- define "ingot.podSecurity" -}}
{{- $base := dict "runAsNonRoot" true "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not (include "ingot.arbitraryUser" .context) -}}
{{- $id := int .userId -}}
{{- $_ := merge $base (dict "runAsUser" $id "runAsGroup" $id "fsGroup" $id) -}}
{{- end -}}
{{- include "ingot.overlay" (dict "base" $base "over" .values.podSecurityContext) -}}
{{- end -}}

{{/* The values of a component. */}}
{{- define "ingot.containerSecurity" -}}
{{- $base := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- include "ingot.overlay" (dict "base" $base "over" .containerSecurityContext) -}}
{{- end -}}

{{/* (dict "base" DICT "over" DICT): merges both; a null removes a field. */}}
{{- define "ingot.overlay" -}}
{{- $all := mergeOverwrite .base (deepCopy .over) -}}
{{- range $key, $value := .over -}}
{{- if kindIs "invalid" $value }}{{ $_ := unset $all $key }}{{ end -}}
{{- end -}}
{{- range $key := list "runAsUser" "runAsGroup" "fsGroup" -}}
{{- if hasKey $all $key }}{{ $_ := set $all $key (int64 (get $all $key)) }}{{ end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* A list of a component's values, such as extraEnv, or nothing. */}}
{{- define "ingot.items" -}}
{{- with . }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Returns a duration of the service (500ms, 30s, 5m, 24h, 1d) in seconds, rounded up. */}}
{{- define "ingot.seconds" -}}
{{- divf (include "ingot.milliseconds" .) 1000 | ceil | int -}}
{{- end -}}

{{/* Returns a duration of the service in milliseconds. */}}
{{- define "ingot.milliseconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- mulf (trimSuffix $unit .) (index $units $unit) -}}
{{- end -}}

{{/* (dict "context" $ "key" NAME): a duration of `service.config`, or its default, in seconds. */}}
{{- define "ingot.configSeconds" -}}
{{- include "ingot.seconds" (include "ingot.configDuration" .) -}}
{{- end -}}

{{- define "ingot.configDuration" -}}
{{- $defaults := dict "drain" "25s" "drainDelay" "0s" "startWait" "0s" "lockTtl" "10s" -}}
{{- index .context.Values.service.config .key | default (index $defaults .key) -}}
{{- end -}}

{{/* Returns a number without an exponent, and a text unchanged. Helm renders large numbers with an exponent. */}}
{{- define "ingot.number" -}}
{{- if kindIs "float64" . }}{{ if eq . (floor .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* Storage values: spec of a claim. */}}
{{- define "ingot.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .className }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ include "ingot.number" .size }}
{{- end -}}

{{/* persistentVolumeClaimRetentionPolicy of a StatefulSet. Omitted if it is Retain, the default of Kubernetes. */}}
{{- define "ingot.claimRetention" -}}
{{- with .retention }}
{{- if or (ne .whenDeleted "Retain") (ne .whenScaled "Retain") }}
persistentVolumeClaimRetentionPolicy:
  whenDeleted: {{ .whenDeleted }}
  whenScaled: {{ .whenScaled }}
{{- end }}
{{- end }}
{{- end -}}
