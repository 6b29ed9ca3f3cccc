{{/* Names, labels and the image, as in the chart ingot. */}}

{{/*
First part of every name. At most 40 characters. The label app.kubernetes.io/name is always "ingot-operator": selectors
cannot change, and the network policies of the chart ingot admit pods with this label.
*/}}
{{- define "ingot-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := .Values.nameOverride | default "ingot-operator" -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- if contains $name $release -}}
{{- $release | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" ($release | trunc (int (sub 39 (len $name))) | trimSuffix "-") $name -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of roles outside the namespace of the release. Releases of several namespaces must not share it. */}}
{{- define "ingot-operator.roleName" -}}
{{- printf "%s:%s" .Release.Namespace (include "ingot-operator.fullname" .) -}}
{{- end -}}

{{/* Selector labels of the pods. They must never change. */}}
{{- define "ingot-operator.selectorLabels" -}}
app.kubernetes.io/name: ingot-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{/*
(dict "context" $ "name" NAME "namespace" NAMESPACE "labels" DICT "annotations" DICT): metadata of an object. "labels" and
"annotations" are additional ones. Default: none. Default of "namespace": that of the release.
*/}}
{{- define "ingot-operator.metadata" -}}
{{- $context := .context -}}
{{- $labels := include "ingot-operator.selectorLabels" $context | fromYaml -}}
{{- $_ := merge $labels (dict
  "app.kubernetes.io/version" $context.Chart.AppVersion
  "app.kubernetes.io/part-of" "ingot"
  "app.kubernetes.io/managed-by" $context.Release.Service
  "helm.sh/chart" (printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_")
) (deepCopy (.labels | default dict)) (deepCopy $context.Values.commonLabels) -}}
name: {{ .name | quote }}
{{- with .namespace }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with merge (deepCopy (.annotations | default dict)) $context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Image reference. A digest takes precedence over a tag. */}}
{{- define "ingot-operator.image" -}}
{{- $image := .Values.image -}}
{{- $repository := $image.repository -}}
{{- $registry := $image.registry -}}
{{- with .Values.global.imageRegistry -}}
{{- $registry = . -}}
{{- $repository = regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "" -}}
{{- end -}}
{{- join "/" (compact (list $registry $repository)) -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* imagePullSecrets of the pods, or nothing. An entry is a name, or an object with a name. */}}
{{- define "ingot-operator.pullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.global.imagePullSecrets | default list) (.Values.image.pullSecrets | default list) -}}
{{- $names = append $names (kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") .) -}}
{{- end -}}
{{- with uniq $names }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}
