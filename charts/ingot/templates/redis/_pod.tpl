{{/* Parts of the Redis and Sentinel pods. All take (dict "context" $ "component" redis|sentinel). */}}

{{- define "ingot.redis.set" -}}
{{- if eq .component "sentinel" }}{{ include "ingot.redis.sentinelName" .context }}{{ else }}{{ include "ingot.redis.name" .context }}{{ end }}
{{- end }}

{{/*
Sentinel resolves names in its only thread. If that thread is blocked for two seconds, Sentinel takes no decisions for another
thirty (TILT). So one DNS query must time out sooner; Sentinel repeats it.
*/}}
{{- define "ingot.redis.dns" -}}
dnsConfig:
  options:
    - { name: ndots, value: "1" }
    - { name: timeout, value: "1" }
    - { name: attempts, value: "1" }
{{- end }}

{{- define "ingot.redis.podEnv" -}}
{{- $redis := .context.Values.redis }}
{{- $set := include "ingot.redis.set" . }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
- { name: SELF, value: {{ printf "$(POD_NAME).%s" (include "ingot.redis.domain" (dict "context" .context "set" $set)) | quote }} }
# the servers of redlock do not know each other: each is a single server
- { name: MODE, value: {{ $redis.mode | replace "redlock" "standalone" | quote }} }
- { name: REDIS_SERVER, value: {{ $redis.commands.server | quote }} }
- { name: REDIS_CLI, value: {{ $redis.commands.cli | quote }} }
- { name: TLS, value: {{ $redis.tls.enabled | quote }} }
- { name: PERSISTENT, value: {{ $redis.persistence.enabled | quote }} }
- { name: REDIS_SET, value: {{ include "ingot.redis.name" .context }} }
- { name: REDIS_DOMAIN, value: {{ include "ingot.redis.domain" (dict "context" .context "set" (include "ingot.redis.name" .context)) }} }
- { name: REDIS_COUNT, value: {{ include "ingot.redis.count" .context | quote }} }
- { name: REDIS_PORT, value: "6379" }
- { name: PREVIOUS_VALID_S, value: {{ int64 $redis.auth.previousValidSeconds | quote }} }
- { name: MIN_REPLICAS, value: {{ include "ingot.redis.minReplicas" .context | quote }} }
{{- if eq $redis.mode "sentinel" }}
- { name: SENTINEL_SET, value: {{ include "ingot.redis.sentinelName" .context }} }
- { name: SENTINEL_DOMAIN, value: {{ include "ingot.redis.domain" (dict "context" .context "set" (include "ingot.redis.sentinelName" .context)) }} }
- { name: SENTINEL_COUNT, value: {{ $redis.sentinel.replicas | quote }} }
- { name: SENTINEL_PORT, value: "26379" }
- { name: MASTER_NAME, value: {{ $redis.sentinel.masterName | quote }} }
{{- end }}
{{- if eq $redis.mode "cluster" }}
- { name: CLUSTER_MASTERS, value: {{ $redis.cluster.masters | quote }} }
{{- end }}
{{- end }}

{{/*
The container keeper: work that must go on while the server runs (files/redis/keeper.sh). Kubernetes restarts it when it
ends or hangs, without the server: (dict "context" $ "component" redis|sentinel "values" VALUES)
*/}}
{{- define "ingot.redis.keeper" -}}
{{- $redis := .context.Values.redis }}
- name: keeper
  image: {{ include "ingot.imageOf" (dict "context" .context "image" $redis.image) }}
  imagePullPolicy: {{ $redis.image.pullPolicy }}
  command: [/etc/ingot/redis/keeper.sh, {{ .component }}]
  env:
    {{- include "ingot.redis.podEnv" . | nindent 4 }}
    {{- if eq .component "sentinel" }}
    {{- include "ingot.redis.sentinelEnv" . | nindent 4 }}
    {{- end }}
    {{- include "ingot.items" .values.extraEnv | nindent 4 }}
  livenessProbe:
    exec:
      command: [/etc/ingot/redis/probe.sh, keeper]
    initialDelaySeconds: 10
    periodSeconds: 20
    timeoutSeconds: 5
    failureThreshold: 3
  resources:
    {{- toYaml $redis.keeper.resources | nindent 4 }}
  securityContext:
    {{- include "ingot.containerSecurity" .values | nindent 4 }}
  volumeMounts:
    {{- include "ingot.redis.mounts" . | nindent 4 }}
    {{- include "ingot.items" .values.extraVolumeMounts | nindent 4 }}
{{- end }}

{{/*
The container exporter: INFO of this pod's server as metrics. It uses the login of the service, which may read INFO, and
needs no other command. It reads the password at its start: the server accepts the previous one for a day.
*/}}
{{- define "ingot.redis.exporter" -}}
{{- if and (eq .component "redis") (include "ingot.metrics.exporter" .context) }}
{{- $redis := .context.Values.redis }}
{{- $exporter := .context.Values.metrics.redisExporter }}
- name: exporter
  image: {{ include "ingot.imageOf" (dict "context" .context "image" $exporter.image) }}
  imagePullPolicy: {{ $exporter.image.pullPolicy }}
  command: [/redis_exporter]
  ports:
    - { name: exporter, containerPort: 9121 }
  env:
    - { name: REDIS_ADDR, value: {{ ternary "rediss" "redis" $redis.tls.enabled }}://localhost:6379 }
    - { name: REDIS_USER, value: ingot }
    - name: REDIS_PASSWORD
      valueFrom:
        secretKeyRef:
          name: {{ include "ingot.redis.secretName" .context | quote }}
          key: password
    # no CONFIG, which that login may not use
    - { name: REDIS_EXPORTER_CONFIG_COMMAND, value: "-" }
    {{- if $redis.tls.enabled }}
    - { name: REDIS_EXPORTER_TLS_CA_CERT_FILE, value: /etc/ingot/redis-tls/ca.crt }
    {{- end }}
  resources:
    {{- toYaml $exporter.resources | nindent 4 }}
  securityContext:
    {{- include "ingot.containerSecurity" .values | nindent 4 }}
  {{- if $redis.tls.enabled }}
  volumeMounts:
    - { name: tls, mountPath: /etc/ingot/redis-tls, readOnly: true }
  {{- end }}
{{- end }}
{{- end }}

{{- define "ingot.redis.quorum" -}}
{{- $sentinel := .Values.redis.sentinel }}
{{- $sentinel.quorum | default (add 1 (div $sentinel.replicas 2)) }}
{{- end }}

{{- define "ingot.redis.sentinelEnv" -}}
{{- $sentinel := .context.Values.redis.sentinel }}
- { name: QUORUM, value: {{ include "ingot.redis.quorum" .context | quote }} }
- { name: DOWN_AFTER_MS, value: {{ $sentinel.downAfterMs | quote }} }
- { name: FAILOVER_TIMEOUT_MS, value: {{ $sentinel.failoverTimeoutMs | quote }} }
{{- end }}

{{- define "ingot.redis.mounts" -}}
- { name: data, mountPath: /data }
- { name: run, mountPath: /run/redis }
- { name: scripts, mountPath: /etc/ingot/redis, readOnly: true }
- { name: auth, mountPath: /etc/ingot/redis-auth, readOnly: true }
{{- if .context.Values.redis.tls.enabled }}
- { name: tls, mountPath: /etc/ingot/redis-tls, readOnly: true }
{{- end }}
{{- end }}

{{- define "ingot.redis.podVolumes" -}}
- name: run
  emptyDir: { medium: Memory, sizeLimit: 8Mi }
- name: scripts
  configMap:
    name: {{ include "ingot.redis.name" .context }}
    defaultMode: 0555
- name: auth
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "ingot.redis.secretName" .context | quote }}
          items:
            - { key: password, path: ingot-password }
            - { key: replication-password, path: replication-password }
            - { key: sentinel-password, path: sentinel-password }
            - { key: admin-password, path: admin-password }
      # a Secret without this key: the servers have no user for the operator
      - secret:
          name: {{ include "ingot.redis.secretName" .context | quote }}
          optional: true
          items:
            - { key: operator-password, path: operator-password }
      {{- if .context.Values.drills.enabled }}
      - secret:
          name: {{ include "ingot.redis.secretName" .context | quote }}
          optional: true
          items:
            - { key: drill-password, path: drill-password }
      {{- end }}
{{- if .context.Values.redis.tls.enabled }}
- name: tls
  secret:
    secretName: {{ include "ingot.redis.tlsSecretName" .context | quote }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* A changed setting or script restarts the pods. A changed certificate does not: see RUNBOOK. */}}
{{- define "ingot.redis.checksums" -}}
checksum/redis: {{ (include (print .context.Template.BasePath "/redis/scripts.yaml") .context | fromYaml).data | toJson | sha256sum }}
{{- end }}

{{/*
Adds anti-affinity to the affinity of the values, so that a lost node is one lost vote:
(dict "context" $ "component" NAME "affinity" DICT "hard" BOOLEAN)
*/}}
{{- define "ingot.redis.voterAffinity" -}}
{{- $affinity := deepCopy .affinity }}
{{- if .hard }}
{{- $selector := include "ingot.selectorLabels" (dict "context" .context "component" .component) | fromYaml }}
{{- $own := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" $selector) }}
{{- $anti := $affinity.podAntiAffinity | default dict }}
{{- $terms := append ($anti.requiredDuringSchedulingIgnoredDuringExecution | default list) $own }}
{{- $_ := set $anti "requiredDuringSchedulingIgnoredDuringExecution" $terms }}
{{- $_ := set $affinity "podAntiAffinity" $anti }}
{{- end }}
{{- toYaml $affinity }}
{{- end }}
