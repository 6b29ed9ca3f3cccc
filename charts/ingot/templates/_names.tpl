{{/* Names, labels and the address of things. A component is service, redis, sentinel, postgres, legacy-backend, canary or test. */}}

{{- define "ingot.fullname" -}}
{{- if contains "ingot" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-ingot" (.Release.Name | trunc 34 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* Of (dict "context" $ "component" NAME): what selects the pods of a component, for ever the same. */}}
{{- define "ingot.selectorLabels" -}}
app.kubernetes.io/name: ingot
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Of (dict "context" $ "component" NAME). */}}
{{- define "ingot.labels" -}}
{{ include "ingot.selectorLabels" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ingot
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Of a pod: nothing that changes with the chart's version alone, which would restart a database for a number. */}}
{{- define "ingot.podLabels" -}}
{{ include "ingot.selectorLabels" . }}
app.kubernetes.io/part-of: ingot
{{- end -}}

{{- define "ingot.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* Of the legacy backend, which is in the same image. */}}
{{- define "ingot.legacyImage" -}}
{{- with .Values.legacyBackend.imageTag -}}
{{ $.Values.image.repository }}:{{ . }}
{{- else -}}
{{ include "ingot.image" . }}
{{- end -}}
{{- end -}}

{{/* imagePullSecrets of a pod, or nothing. */}}
{{- define "ingot.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Where the service answers, from within the cluster. */}}
{{- define "ingot.serviceUrl" -}}
http://{{ include "ingot.fullname" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:{{ .Values.service.port }}
{{- end -}}

{{/* The Secret with tokens.json and token; empty when everybody is let in. */}}
{{- define "ingot.tokenSecret" -}}
{{- if eq .Values.access.mode "token" -}}
{{- .Values.access.existingSecret | default (printf "%s-token" (include "ingot.fullname" .)) -}}
{{- end -}}
{{- end -}}

{{/* "true" when the Postgres of this chart is wanted. */}}
{{- define "ingot.hasPostgres" -}}
{{- if or (eq .Values.store.mode "postgres") (eq .Values.lock.fences.mode "postgres") -}}true{{- end -}}
{{- end -}}

{{/* "true" when something has to be locked. */}}
{{- define "ingot.needsLock" -}}
{{- if or (eq .Values.lock.mode "always") (and (eq .Values.store.mode "http") (ne .Values.lock.mode "never")) -}}true{{- end -}}
{{- end -}}

{{/* "true" when the service needs an address that is not of this release. */}}
{{- define "ingot.goesOutside" -}}
{{- $v := .Values -}}
{{- if or (eq $v.store.mode "external") (and (eq $v.store.mode "http") $v.store.http.url) (eq $v.lock.fences.mode "external") (and (eq $v.redis.mode "external") (or $v.redis.external.url $v.redis.external.existingSecret)) -}}true{{- end -}}
{{- end -}}
