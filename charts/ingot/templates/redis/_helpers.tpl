{{/*
Names and small computations for Redis. For the other templates:
  ingot.redis.mode          the mode of the Redis of this release; external if it has none
  ingot.redis.own           "true" if this release has a Redis with locks
  ingot.redis.any           "true" if this release has a Redis with locks or a cache
  ingot.lock.env            env entries: INGOT_LOCK_URL, and the variables that it refers to
  ingot.redis.cacheUrl      URL of the cache without credentials; empty without a cache
  ingot.redis.volumes, ingot.redis.volumeMounts   the CA if TLS is on, otherwise empty
*/}}
{{- define "ingot.redis.name" -}}
{{- printf "%s-redis" (include "ingot.fullname" .) }}
{{- end }}

{{- define "ingot.redis.sentinelName" -}}
{{- printf "%s-sentinel" (include "ingot.fullname" .) }}
{{- end }}

{{- define "ingot.redis.cacheName" -}}
{{- printf "%s-cache" (include "ingot.fullname" .) }}
{{- end }}

{{/* lock.url and lock.existingSecret replace the Redis of the release. */}}
{{- define "ingot.redis.mode" -}}
{{- if include "ingot.lock.given" . }}external{{ else }}{{ .Values.redis.mode }}{{ end }}
{{- end }}

{{- define "ingot.redis.own" -}}
{{- if ne (include "ingot.redis.mode" .) "external" }}true{{ end }}
{{- end }}

{{- define "ingot.redis.any" -}}
{{- if or (include "ingot.redis.own" .) .Values.cache.enabled }}true{{ end }}
{{- end }}

{{/* The DNS domain of a headless service: (dict "context" $ "set" NAME) */}}
{{- define "ingot.redis.domain" -}}
{{- printf "%s-headless.%s.svc.%s" .set .context.Release.Namespace .context.Values.clusterDomain }}
{{- end }}

{{- define "ingot.redis.count" -}}
{{- if eq (include "ingot.redis.mode" .) "cluster" }}
{{- mul .Values.redis.cluster.masters (add 1 .Values.redis.cluster.replicasPerMaster) }}
{{- else if eq (include "ingot.redis.mode" .) "sentinel" }}
{{- .Values.redis.replicas }}
{{- else if eq (include "ingot.redis.mode" .) "redlock" }}
{{- .Values.redis.redlock.servers }}
{{- else }}1{{ end }}
{{- end }}

{{/* min-replicas-to-write. It is 1 only with two or more replicas, so that one of them may be missing. */}}
{{- define "ingot.redis.minReplicas" -}}
{{- $replicas := 0 }}
{{- if eq (include "ingot.redis.mode" .) "cluster" }}{{ $replicas = .Values.redis.cluster.replicasPerMaster }}{{ end }}
{{- if eq (include "ingot.redis.mode" .) "sentinel" }}{{ $replicas = sub .Values.redis.replicas 1 }}{{ end }}
{{- if ge (int $replicas) 2 }}1{{ else }}0{{ end }}
{{- end }}

{{/* 70 % of the memory limit in bytes: (dict "what" NAME "limit" QUANTITY "given" OVERRIDE). The rest is for buffers and rewrites. */}}
{{- define "ingot.redis.maxmemory" -}}
{{- if .given }}{{ kindIs "string" .given | ternary .given (int64 .given) }}{{ else }}
{{- $limit := toString .limit }}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "" 1 }}
{{- $number := regexFind "^[0-9]+" $limit }}
{{- $unit := trimPrefix $number $limit }}
{{- if or (eq $number "") (not (hasKey $units $unit)) }}
{{- fail (printf "%s is %q: write a whole number with Ki, Mi or Gi, such as 256Mi" .what $limit) }}
{{- end }}
{{- div (mul (int64 $number) (int64 (get $units $unit)) 7) 10 }}
{{- end }}
{{- end }}

{{- define "ingot.redis.secretName" -}}
{{- default (include "ingot.redis.name" .) .Values.redis.auth.existingSecret }}
{{- end }}

{{- define "ingot.redis.tlsSecretName" -}}
{{- default (printf "%s-tls" (include "ingot.redis.name" .)) .Values.redis.tls.existingSecret }}
{{- end }}

{{/* Comma-separated host:port of all pods of a set: (dict "context" $ "set" NAME "count" N "port" P) */}}
{{- define "ingot.redis.hosts" -}}
{{- $hosts := list }}
{{- $domain := include "ingot.redis.domain" . }}
{{- range $i := until (int .count) }}
{{- $hosts = append $hosts (printf "%s-%d.%s:%d" $.set $i $domain (int $.port)) }}
{{- end }}
{{- join "," $hosts }}
{{- end }}

{{- define "ingot.redis.tlsQuery" -}}
{{- if .Values.redis.tls.enabled }}tls=true&ca=/etc/ingot/redis-tls/ca.crt{{ end }}
{{- end }}

{{/* (dict "context" $ "login" "user:password@" or "" "sentinelLogin" "sentinel-user=...&sentinel-password=..." or "") */}}
{{- define "ingot.redis.url" -}}
{{- $mode := (include "ingot.redis.mode" .context) }}
{{- $name := include "ingot.redis.name" .context }}
{{- $tls := include "ingot.redis.tlsQuery" .context }}
{{- if eq $mode "standalone" }}
{{- printf "redis://%s%s-0.%s:6379" .login $name (include "ingot.redis.domain" (dict "context" .context "set" $name)) }}
{{- with $tls }}?{{ . }}{{ end }}
{{- else if eq $mode "cluster" }}
{{- printf "redis+cluster://%s%s" .login (include "ingot.redis.hosts" (dict "context" .context "set" $name "count" (include "ingot.redis.count" .context) "port" 6379)) }}
{{- with $tls }}?{{ . }}{{ end }}
{{- else if eq $mode "redlock" }}
{{- /* all clients must know the longest lease */}}
{{- $lease := printf "max-lease=%s" (include "ingot.configDuration" (dict "context" .context "key" "lockTtl")) }}
{{- printf "redlock://%s%s?%s" .login (include "ingot.redis.hosts" (dict "context" .context "set" $name "count" (include "ingot.redis.count" .context) "port" 6379)) (join "&" (compact (list $lease $tls))) }}
{{- else if eq $mode "sentinel" }}
{{- $sentinels := include "ingot.redis.hosts" (dict "context" .context "set" (include "ingot.redis.sentinelName" .context) "count" .context.Values.redis.sentinel.replicas "port" 26379) }}
{{- printf "redis+sentinel://%s%s/%s" .login $sentinels .context.Values.redis.sentinel.masterName }}
{{- with join "&" (compact (list .sentinelLogin $tls)) }}?{{ . }}{{ end }}
{{- end }}
{{- end }}

{{- define "ingot.lock.env" -}}
{{- if include "ingot.redis.own" . }}
- name: LOCK_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "ingot.redis.secretName" . | quote }}
      key: password
- name: INGOT_LOCK_URL
  value: {{ include "ingot.redis.url" (dict "context" . "login" "ingot:$(LOCK_PASSWORD)@" "sentinelLogin" "sentinel-user=ingot&sentinel-password=$(LOCK_PASSWORD)") | quote }}
{{- else if .Values.lock.existingSecret }}
{{ include "ingot.fromSecret" (dict "name" "INGOT_LOCK_URL" "secret" .Values.lock.existingSecret "key" .Values.lock.key) }}
{{- if .Values.lock.directKey }}
{{ include "ingot.fromSecret" (dict "name" "INGOT_LOCK_DIRECT_URL" "secret" .Values.lock.existingSecret "key" .Values.lock.directKey) }}
{{- end }}
{{- else if .Values.lock.url }}
- name: INGOT_LOCK_URL
  value: {{ .Values.lock.url | quote }}
{{- end }}
{{- end }}

{{- define "ingot.redis.cacheUrl" -}}
{{- if .Values.cache.enabled }}
{{- printf "redis://%s:6379" (include "ingot.redis.cacheName" .) }}
{{- with include "ingot.redis.tlsQuery" . }}?{{ . }}{{ end }}
{{- end }}
{{- end }}

{{- define "ingot.redis.volumes" -}}
{{- if .Values.redis.tls.enabled }}
- name: redis-tls
  secret:
    secretName: {{ include "ingot.redis.tlsSecretName" . | quote }}
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- end }}

{{- define "ingot.redis.volumeMounts" -}}
{{- if .Values.redis.tls.enabled }}
- name: redis-tls
  mountPath: /etc/ingot/redis-tls
  readOnly: true
{{- end }}
{{- end }}
