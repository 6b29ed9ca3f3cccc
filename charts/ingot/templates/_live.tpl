{{/*
Refuses changes that an upgrade cannot make, before Kubernetes or Redis gets stuck in the middle of them. `lookup` finds the
installed objects in helm install and upgrade; `helm template` finds none. The chart looks up only objects that Helm itself
reads, because a missing right would fail the upgrade. Nodes are an exception, and off by default.
*/}}
{{- define "ingot.refuseChanges" -}}
{{- include "ingot.refuseRename" . -}}
{{- include "ingot.refuseRedisChange" . -}}
{{- include "ingot.refuseLockMove" . -}}
{{- include "ingot.refuseStorageChange" . -}}
{{- include "ingot.refuseFewNodes" . -}}
{{- end -}}

{{/* (dict "context" $ "kind" KIND "name" NAME): returns the installed object of this release as YAML, or nothing. */}}
{{- define "ingot.live" -}}
{{- $api := ternary "v1" "apps/v1" (eq .kind "PersistentVolumeClaim") -}}
{{- $live := lookup $api .kind .context.Release.Namespace .name | default dict -}}
{{- $labels := ($live.metadata).labels | default dict -}}
{{- if eq (index $labels "app.kubernetes.io/instance" | default "" | toString) .context.Release.Name -}}
{{- toYaml $live -}}
{{- end -}}
{{- end -}}

{{/* A new name means new databases: Helm would delete the old ones and create empty ones. */}}
{{- define "ingot.refuseRename" -}}
{{- $name := include "ingot.fullname" . -}}
{{- $plain := dict "Release" .Release "Values" (dict "nameOverride" "" "fullnameOverride" "") -}}
{{- $default := include "ingot.fullname" $plain -}}
{{- if and (ne $name $default) (include "ingot.live" (dict "context" . "kind" "Deployment" "name" $default)) -}}
{{- fail (printf "nameOverride and fullnameOverride would rename this release from %s to %s: its Postgres and Redis would be deleted and replaced by empty ones. Set the names back, or install a second release" $default $name) -}}
{{- end -}}
{{- end -}}

{{/* Annotations of the StatefulSet of Redis. Later upgrades compare them. */}}
{{- define "ingot.redis.topologyAnnotations" -}}
{{- $redis := .Values.redis -}}
{{- $annotations := dict "ingot.dev/redis-mode" $redis.mode -}}
{{- if eq $redis.mode "cluster" -}}
{{- $_ := set $annotations "ingot.dev/redis-primaries" (toString $redis.cluster.masters) -}}
{{- else if eq $redis.mode "sentinel" -}}
{{- $_ := set $annotations "ingot.dev/redis-primary-name" $redis.sentinel.masterName -}}
{{- else if eq $redis.mode "redlock" -}}
{{- $_ := set $annotations "ingot.dev/redis-servers" (toString $redis.redlock.servers) -}}
{{- end -}}
{{- toYaml $annotations -}}
{{- end -}}

{{- define "ingot.refuseRedisChange" -}}
{{- $redis := .Values.redis -}}
{{- $mode := include "ingot.redis.mode" . -}}
{{- $name := include "ingot.redis.name" . -}}
{{- $live := include "ingot.live" (dict "context" . "kind" "StatefulSet" "name" $name) | fromYaml -}}
{{- if $live -}}
{{- $installed := include "ingot.redis.installedTopology" $live | fromYaml -}}
{{- $sets := ternary (printf "%s %s" $name (include "ingot.redis.sentinelName" .)) $name (eq $installed.mode "sentinel") -}}
{{- $topology := ternary (printf "; kubectl -n %s delete redistopology %s" .Release.Namespace $name) "" (eq (include "ingot.operator.on" .) "true") -}}
{{- $remedy := printf "Locks cannot move to another Redis. Install a second release and move clients to it; or stop the service (kubectl -n %s scale deployment/%s --replicas=0), delete the old Redis (kubectl -n %s delete statefulset %s%s) and its claims (kubectl -n %s delete pvc -l 'app.kubernetes.io/instance=%s,app.kubernetes.io/component in (redis,sentinel)'), and upgrade again. Stored items stay, locks are lost" .Release.Namespace (include "ingot.fullname" .) .Release.Namespace $sets $topology .Release.Namespace .Release.Name -}}
{{- if and $installed.mode (ne $installed.mode $mode) -}}
{{- $wanted := ternary "lock.url or lock.existingSecret is set" (printf "redis.mode is %s" $mode) (eq (include "ingot.lock.given" .) "true") -}}
{{- fail (printf "%s, but this release runs Redis as %s, and an upgrade cannot change that in place. %s" $wanted $installed.mode $remedy) -}}
{{- end -}}
{{- if and (eq $mode "cluster") $installed.primaries (ne $installed.primaries (toString $redis.cluster.masters)) -}}
{{- fail (printf "redis.cluster.masters is %d, but this Redis Cluster has %s primaries, and an upgrade moves no slots between them. Set it back to %s. For another number: %s" (int $redis.cluster.masters) $installed.primaries $installed.primaries $remedy) -}}
{{- end -}}
{{- if and (eq $mode "redlock") $installed.servers (ne $installed.servers (toString $redis.redlock.servers)) -}}
{{- fail (printf "redis.redlock.servers is %d, but this release has %s servers, and during the rollout two majorities could grant the same lock. Set it back to %s. For another number: %s" (int $redis.redlock.servers) $installed.servers $installed.servers $remedy) -}}
{{- end -}}
{{- if and (eq $mode "sentinel") $installed.primaryName (ne $installed.primaryName $redis.sentinel.masterName) -}}
{{- fail (printf "redis.sentinel.masterName is %q, but these Sentinels have stored %q, and would not start with another name. Set it back" $redis.sentinel.masterName $installed.primaryName) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Mode, primaries and primaryName of an installed StatefulSet. Earlier charts have them only in the environment. */}}
{{- define "ingot.redis.installedTopology" -}}
{{- $annotations := .metadata.annotations | default dict -}}
{{- $env := dict -}}
{{- range .spec.template.spec.containers -}}
{{- if eq .name "redis" -}}
{{- range .env -}}{{- $_ := set $env .name (.value | default "") -}}{{- end -}}
{{- end -}}
{{- end -}}
mode: {{ index $annotations "ingot.dev/redis-mode" | default $env.MODE | quote }}
primaries: {{ index $annotations "ingot.dev/redis-primaries" | default $env.CLUSTER_MASTERS | quote }}
servers: {{ index $annotations "ingot.dev/redis-servers" | default "" | quote }}
primaryName: {{ index $annotations "ingot.dev/redis-primary-name" | default $env.MASTER_NAME | quote }}
{{- end -}}

{{/*
Refuses a change of the lock service in front of a store that needs locks, if it is a change to the Redis of this release,
or to a URL with another scheme: during the rollout, old and new pods would use different lock services.
(ingot.refuseRedisChange refuses the change from the Redis of this release. Hosts of a URL may change without a new service.)
*/}}
{{- define "ingot.refuseLockMove" -}}
{{- if include "ingot.needsLock" . -}}
{{- $name := include "ingot.fullname" . -}}
{{- $live := include "ingot.live" (dict "context" . "kind" "Deployment" "name" $name) | fromYaml -}}
{{- if and $live (gt (int ($live.spec).replicas) 0) -}}
{{- $env := dict -}}
{{- range $live.spec.template.spec.containers -}}
{{- if eq .name "ingot" }}{{ range .env }}{{ $_ := set $env .name (.value | default "") }}{{ end }}{{ end -}}
{{- end -}}
{{- $outside := and (hasKey $env "INGOT_LOCK_URL") (not (hasKey $env "LOCK_PASSWORD")) -}}
{{- $old := regexFind "^[a-z+]+:" ($env.INGOT_LOCK_URL | default "") -}}
{{- $new := regexFind "^[a-z+]+:" .Values.lock.url -}}
{{- $wanted := "" -}}
{{- if and $outside (include "ingot.redis.own" .) -}}
{{- $wanted = printf "redis.mode is %s, but the pods of this release use an external lock service" .Values.redis.mode -}}
{{- else if and $outside $old $new (ne $old $new) -}}
{{- $wanted = printf "lock.url begins with %s, but the pods of this release use %s" $new $old -}}
{{- end -}}
{{- if $wanted -}}
{{- fail (printf "%s: during the rollout, old and new pods would grant the same locks in different places. Stop the service first (kubectl -n %s scale deployment/%s --replicas=0), wait until its pods are gone, and upgrade again" $wanted .Release.Namespace $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ingot.refuseStorageChange" -}}
{{- $v := .Values -}}
{{- $full := include "ingot.fullname" . -}}
{{- $sets := list -}}
{{- if include "ingot.redis.own" . -}}
{{- $sets = append $sets (dict "path" "redis.persistence" "name" (include "ingot.redis.name" .) "values" $v.redis.persistence "enabled" $v.redis.persistence.enabled) -}}
{{- end -}}
{{- if eq (include "ingot.redis.mode" .) "sentinel" -}}
{{- $sets = append $sets (dict "path" "redis.sentinel.persistence" "name" (include "ingot.redis.sentinelName" .) "values" $v.redis.sentinel.persistence "enabled" $v.redis.sentinel.persistence.enabled) -}}
{{- end -}}
{{- if include "ingot.hasPostgres" . -}}
{{- $sets = append $sets (dict "path" "postgres.storage" "name" (include "ingot.postgres.name" .) "values" $v.postgres.storage "enabled" true) -}}
{{- end -}}
{{- range $sets -}}
{{- include "ingot.refuseSetStorage" (merge (dict "context" $) .) -}}
{{- end -}}
{{- $claims := list -}}
{{- if $v.legacyBackend.enabled -}}
{{- $claims = append $claims (dict "path" "legacyBackend.storage" "name" (printf "%s-legacy" $full) "values" $v.legacyBackend.storage) -}}
{{- end -}}
{{- if and $v.export.enabled (not $v.export.existingClaim) (not $v.export.volume) -}}
{{- $claims = append $claims (dict "path" "export.storage" "name" (printf "%s-export" $full) "values" $v.export.storage) -}}
{{- end -}}
{{- range $claims -}}
{{- include "ingot.refuseClaimStorage" (merge (dict "context" $) .) -}}
{{- end -}}
{{- end -}}

{{/* A StatefulSet never changes its claim templates. */}}
{{- define "ingot.refuseSetStorage" -}}
{{- $live := include "ingot.live" (dict "context" .context "kind" "StatefulSet" "name" .name) | fromYaml -}}
{{- if $live -}}
{{- $again := printf "kubectl -n %s delete statefulset %s --cascade=orphan" .context.Release.Namespace .name -}}
{{- $spec := dict -}}
{{- with ($live.spec).volumeClaimTemplates -}}{{- $spec = (first .).spec -}}{{- end -}}
{{- if ne (not .enabled) (not $spec) -}}
{{- fail (printf "%s.enabled is %t, but StatefulSet %s was created with the opposite, and Kubernetes cannot change it. Set it back. Or run `%s`, which keeps the pods running, and upgrade again; each pod is then replaced by one with an empty volume" .path .enabled .name $again) -}}
{{- end -}}
{{- if .enabled -}}
{{- $size := toString $spec.resources.requests.storage -}}
{{- if ne (include "ingot.bytes" $size) (include "ingot.bytes" .values.size) -}}
{{- fail (printf "%s.size is %v, but the claims of StatefulSet %s were created with %s, and Kubernetes cannot change it. Set it back. Or, to grow volumes whose class allows it, patch each claim (kubectl -n %s patch pvc data-%s-0 -p '{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"%v\"}}}}'), run `%s`, which keeps the pods running, and upgrade again" .path .values.size .name $size .context.Release.Namespace .name .values.size $again) -}}
{{- end -}}
{{- $class := $spec.storageClassName | default "" -}}
{{- if ne $class .values.className -}}
{{- fail (printf "%s.className is %q, but the claims of StatefulSet %s were created with %q, and a volume cannot change its class. Set it back, or install a second release" .path .values.className .name $class) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A claim can only grow, and only if its class allows it. */}}
{{- define "ingot.refuseClaimStorage" -}}
{{- $live := include "ingot.live" (dict "context" .context "kind" "PersistentVolumeClaim" "name" .name) | fromYaml -}}
{{- if $live -}}
{{- $size := toString $live.spec.resources.requests.storage -}}
{{- if gt (include "ingot.bytes" $size | float64) (include "ingot.bytes" .values.size | float64) -}}
{{- fail (printf "%s.size is %v, but claim %s has %s, and a claim cannot shrink. Set it back" .path .values.size .name $size) -}}
{{- end -}}
{{- if and .values.className (ne ($live.spec.storageClassName | default "") .values.className) -}}
{{- fail (printf "%s.className is %q, but claim %s has the class %q, and a volume cannot change its class. Set it back" .path .values.className .name ($live.spec.storageClassName | default "")) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Returns a Kubernetes quantity in bytes, as text without an exponent. */}}
{{- define "ingot.bytes" -}}
{{- $text := include "ingot.number" . -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- printf "%.0f" (mulf $number (index $units (trimPrefix $number $text) | default 1)) -}}
{{- end -}}

{{/* Only with redis.sentinel.checkNodes: without the right to list nodes, the installation would fail. */}}
{{- define "ingot.refuseFewNodes" -}}
{{- $sentinel := .Values.redis.sentinel -}}
{{- if and (eq (include "ingot.redis.mode" .) "sentinel") $sentinel.hardAntiAffinity $sentinel.checkNodes -}}
{{- $nodes := (lookup "v1" "Node" "" "").items | default list -}}
{{- $usable := 0 -}}
{{- range $nodes -}}
{{- $blocked := .spec.unschedulable | default false -}}
{{- range .spec.taints -}}
{{- if and (eq .effect "NoSchedule") (not $sentinel.tolerations) }}{{ $blocked = true }}{{ end -}}
{{- end -}}
{{- if not $blocked }}{{ $usable = add1 $usable }}{{ end -}}
{{- end -}}
{{- if and $nodes (lt (int $usable) (int $sentinel.replicas)) -}}
{{- fail (printf "redis.sentinel.hardAntiAffinity puts each of %d Sentinels on its own node, and this cluster has only %d nodes for them: the others would stay Pending. For a trial, set redis.sentinel.hardAntiAffinity=false" (int $sentinel.replicas) (int $usable)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
