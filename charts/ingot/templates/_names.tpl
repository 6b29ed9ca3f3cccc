{{/* Names, labels, images and addresses. Components: service, redis, sentinel, cache, postgres, legacy-backend, canary, drill, export, test. */}}

{{/*
First part of every name. At most 40 characters, so that the longest name fits into the 63 characters of a label. The
label app.kubernetes.io/name is always "ingot", because selectors cannot change.
*/}}
{{- define "ingot.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := .Values.nameOverride | default "ingot" -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- if contains $name $release -}}
{{- $release | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" ($release | trunc (int (sub 39 (len $name))) | trimSuffix "-") $name -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* (dict "context" $ "component" NAME): selector labels of a component. They must never change. */}}
{{- define "ingot.selectorLabels" -}}
app.kubernetes.io/name: ingot
app.kubernetes.io/instance: {{ .context.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* (dict "context" $ "component" NAME): labels of an object. */}}
{{- define "ingot.labels" -}}
{{- $own := include "ingot.selectorLabels" . | fromYaml -}}
{{- $_ := merge $own (dict
  "app.kubernetes.io/version" .context.Chart.AppVersion
  "app.kubernetes.io/part-of" "ingot"
  "app.kubernetes.io/managed-by" .context.Release.Service
  "helm.sh/chart" (printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_")
) -}}
{{- merge $own (deepCopy .context.Values.commonLabels) | toYaml -}}
{{- end -}}

{{/*
(dict "context" $ "component" NAME "name" NAME "labels" DICT "annotations" DICT): metadata of an object.
"labels" and "annotations" are additional ones. Default: none.
*/}}
{{- define "ingot.metadata" -}}
name: {{ .name | quote }}
labels:
  {{- merge (include "ingot.labels" . | fromYaml) (.labels | default dict) | toYaml | nindent 2 }}
{{- with merge (deepCopy (.annotations | default dict)) .context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (dict "context" $ "image" VALUES "tag" DEFAULT): image reference. A digest takes precedence over a tag. */}}
{{- define "ingot.imageOf" -}}
{{- $image := .image -}}
{{- $repository := $image.repository -}}
{{- $registry := $image.registry -}}
{{- with .context.Values.global.imageRegistry -}}
{{- $registry = . -}}
{{- $repository = regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "" -}}
{{- end -}}
{{- join "/" (compact (list $registry $repository)) -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .tag }}{{ end -}}
{{- end -}}

{{- define "ingot.image" -}}
{{- include "ingot.imageOf" (dict "context" . "image" .Values.image "tag" .Chart.AppVersion) -}}
{{- end -}}

{{/* Image of the legacy backend, which is in the same repository. */}}
{{- define "ingot.legacyImage" -}}
{{- with .Values.legacyBackend.imageTag -}}
{{- $image := set (deepCopy $.Values.image) "digest" "" -}}
{{- $_ := set $image "tag" . -}}
{{- include "ingot.imageOf" (dict "context" $ "image" $image "tag" .) -}}
{{- else -}}
{{- include "ingot.image" . -}}
{{- end -}}
{{- end -}}

{{/* imagePullSecrets of a pod, or nothing. An entry is a name, or an object with a name. */}}
{{- define "ingot.pullSecrets" -}}
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

{{- define "ingot.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "ingot.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* URL of the service inside the cluster. */}}
{{- define "ingot.serviceUrl" -}}
http://{{ include "ingot.fullname" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:{{ .Values.service.port }}
{{- end -}}

{{/* The Secret with tokens.json and token; empty if access.mode is off. */}}
{{- define "ingot.tokenSecret" -}}
{{- if eq .Values.access.mode "token" -}}
{{- .Values.access.existingSecret | default (printf "%s-token" (include "ingot.fullname" .)) -}}
{{- end -}}
{{- end -}}

{{/* "true" if the Postgres of this chart is needed. */}}
{{- define "ingot.hasPostgres" -}}
{{- if or (eq .Values.store.mode "postgres") (eq .Values.lock.fences.mode "postgres") -}}true{{- end -}}
{{- end -}}

{{/* "true" if the service needs locks. */}}
{{- define "ingot.needsLock" -}}
{{- if or (eq .Values.lock.mode "always") (and (eq .Values.store.mode "http") (ne .Values.lock.mode "never")) -}}true{{- end -}}
{{- end -}}

{{/* "true" if the values name a lock service outside this release. */}}
{{- define "ingot.lock.given" -}}
{{- if or .Values.lock.url .Values.lock.existingSecret -}}true{{- end -}}
{{- end -}}

{{/* "true" if the locks are Kubernetes Leases, by lock.url. */}}
{{- define "ingot.lock.onLeases" -}}
{{- if hasPrefix "kubernetes:" .Values.lock.url -}}true{{- end -}}
{{- end -}}

{{/* "true" if the service connects to an address outside this release. */}}
{{- define "ingot.goesOutside" -}}
{{- $v := .Values -}}
{{- if or (eq $v.store.mode "external") (and (eq $v.store.mode "http") $v.store.http.url) (eq $v.lock.fences.mode "external") (include "ingot.lock.given" .) -}}true{{- end -}}
{{- end -}}
