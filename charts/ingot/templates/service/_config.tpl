{{/* The configuration file: `service.config` and the settings that other values decide. Secrets are in the environment instead. */}}
{{- define "ingot.config" -}}
{{- $decided := dict "listen" "0.0.0.0:8080" "lockMode" .Values.lock.mode -}}
{{- if eq .Values.access.mode "off" -}}
{{- $_ := set $decided "access" "off" -}}
{{- else -}}
{{- $_ := set $decided "tokensFile" "/etc/ingot/tokens/tokens.json" -}}
{{- end -}}
{{- if eq .Values.store.mode "http" -}}
{{- $legacy := printf "http://%s-legacy:9090" (include "ingot.fullname" .) -}}
{{- $_ := set $decided "storeUrl" (.Values.store.http.url | default $legacy) -}}
{{- $_ := set $decided "storeMapping" "/etc/ingot/config/mapping.json" -}}
{{- end -}}
{{- if include "ingot.storeCa" . -}}
{{- $_ := set $decided "storeCa" "/etc/ingot/store-ca/ca.crt" -}}
{{- end -}}
{{- merge $decided .Values.service.config | toPrettyJson -}}
{{- end -}}

{{/* Source of the volume with the CA of an https store, or nothing. */}}
{{- define "ingot.storeCa" -}}
{{- $ca := .Values.store.http.ca -}}
{{- $items := list (dict "key" $ca.key "path" "ca.crt") -}}
{{- if $ca.existingSecret -}}
{{- dict "secret" (dict "secretName" $ca.existingSecret "items" $items) | toYaml -}}
{{- else if $ca.existingConfigMap -}}
{{- dict "configMap" (dict "name" $ca.existingConfigMap "items" $items) | toYaml -}}
{{- end -}}
{{- end -}}

{{/* The mapping of an http store. */}}
{{- define "ingot.mapping" -}}
{{- if .Values.store.http.mapping -}}
{{- .Values.store.http.mapping | toPrettyJson -}}
{{- else -}}
{{- .Files.Get "files/legacy-backend/mapping.json" | trim -}}
{{- end -}}
{{- end -}}

{{/* Environment from Secrets: URL and credentials of the store, and the lock service. */}}
{{- define "ingot.env" -}}
{{- if include "ingot.hasPostgres" . }}
- name: POSTGRES_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "ingot.postgres.secret" . | quote }}
      key: password
{{- end }}
{{- if eq .Values.store.mode "postgres" }}
- name: INGOT_STORE_URL
  value: {{ include "ingot.postgres.url" . }}
{{- else if eq .Values.store.mode "external" }}
{{- with .Values.store.external }}
{{ include "ingot.fromSecret" (dict "name" "INGOT_STORE_URL" "secret" .existingSecret "key" .key) }}
{{- if .directKey }}
{{ include "ingot.fromSecret" (dict "name" "INGOT_STORE_DIRECT_URL" "secret" .existingSecret "key" .directKey) }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq .Values.lock.fences.mode "postgres" }}
- name: INGOT_LOCK_FENCES
  value: {{ include "ingot.postgres.url" . }}
{{- else if eq .Values.lock.fences.mode "external" }}
{{- with .Values.lock.fences }}
{{ include "ingot.fromSecret" (dict "name" "INGOT_LOCK_FENCES" "secret" .existingSecret "key" .key) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The cache has the same user as the Redis of this release. */}}
{{- define "ingot.cacheEnv" -}}
{{- with include "ingot.redis.cacheUrl" . -}}
{{ include "ingot.fromSecret" (dict "name" "CACHE_PASSWORD" "secret" (include "ingot.redis.secretName" $) "key" "password") }}
- name: INGOT_CACHE_URL
  value: {{ . | replace "redis://" "redis://ingot:$(CACHE_PASSWORD)@" }}
{{- end -}}
{{- end -}}

{{/* An environment variable from a Secret: (dict "name" VARIABLE "secret" NAME "key" KEY). */}}
{{- define "ingot.fromSecret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret | quote }}
      key: {{ .key | quote }}
{{- end -}}
