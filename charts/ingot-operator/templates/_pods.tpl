{{/* Parts of the pods, as in the chart ingot. */}}

{{/* The constraints of the values replace those of topologySpread. One without a selector gets that of the pods. */}}
{{- define "ingot-operator.spread" -}}
{{- $selector := dict "matchLabels" (include "ingot-operator.selectorLabels" . | fromYaml) -}}
{{- $spread := list -}}
{{- range .Values.topologySpread.keys -}}
{{- $constraint := dict "topologyKey" . "maxSkew" 1 "whenUnsatisfiable" $.Values.topologySpread.whenUnsatisfiable -}}
{{- /* the spread counts each revision separately, so that a rollout ends with an even spread */ -}}
{{- $spread = append $spread (set $constraint "matchLabelKeys" (list "pod-template-hash")) -}}
{{- end -}}
{{- $constraints := list -}}
{{- range .Values.topologySpreadConstraints | default $spread -}}
{{- $constraints = append $constraints (hasKey . "labelSelector" | ternary . (set (deepCopy .) "labelSelector" $selector)) -}}
{{- end -}}
{{- with $constraints }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* "true" if the platform assigns the user of the pods. */}}
{{- define "ingot-operator.arbitraryUser" -}}
{{- if eq (toString .Values.openshift) "auto" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}true{{- end -}}
{{- else if eq (toString .Values.openshift) "true" -}}true{{- end -}}
{{- end -}}

{{/* The fields that the pod security standard `restricted` needs, merged with the values. */}}
{{- define "ingot-operator.podSecurity" -}}
{{- $base := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not (include "ingot-operator.arbitraryUser" .) -}}
{{- $_ := merge $base (dict "runAsUser" 1000 "runAsGroup" 1000) -}}
{{- end -}}
{{- include "ingot-operator.overlay" (dict "base" $base "over" .Values.podSecurityContext) -}}
{{- end -}}

{{- define "ingot-operator.containerSecurity" -}}
{{- $base := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- include "ingot-operator.overlay" (dict "base" $base "over" .Values.containerSecurityContext) -}}
{{- end -}}

{{/* (dict "base" DICT "over" DICT): merges both; a null removes a field. `int64` prevents an exponent. */}}
{{- define "ingot-operator.overlay" -}}
{{- $all := mergeOverwrite .base (deepCopy .over) -}}
{{- range $key, $value := .over -}}
{{- if kindIs "invalid" $value }}{{ $_ := unset $all $key }}{{ end -}}
{{- end -}}
{{- range $key := list "runAsUser" "runAsGroup" "fsGroup" -}}
{{- if hasKey $all $key }}{{ $_ := set $all $key (int64 (get $all $key)) }}{{ end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* The environment that the chart sets. */}}
{{- define "ingot-operator.env" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- { name: INGOT_LISTEN, value: "0.0.0.0:9400" }
- { name: INGOT_LOG_LEVEL, value: {{ .Values.logLevel | quote }} }
{{- if .Values.gates.enabled }}
- { name: INGOT_GATES_LISTEN, value: "0.0.0.0:9401" }
{{- if .Values.gates.existingSecret }}
- { name: INGOT_GATES_TOKEN_FILE, value: {{ printf "/etc/ingot/gates/%s" .Values.gates.key | quote }} }
{{- end }}
{{- end }}
{{- end -}}

{{/* A list of the values, such as extraEnv, or nothing. */}}
{{- define "ingot-operator.items" -}}
{{- with . }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* The Secret with the tokens of the gates, as a list of volumes. A whole folder, so that a changed Secret is seen. */}}
{{- define "ingot-operator.gateVolumes" -}}
{{- if and .Values.gates.enabled .Values.gates.existingSecret }}
- { name: gates, secret: { secretName: {{ .Values.gates.existingSecret | quote }} } }
{{- end }}
{{- end -}}

{{- define "ingot-operator.gateMounts" -}}
{{- if and .Values.gates.enabled .Values.gates.existingSecret }}
- { name: gates, mountPath: /etc/ingot/gates, readOnly: true }
{{- end }}
{{- end -}}
