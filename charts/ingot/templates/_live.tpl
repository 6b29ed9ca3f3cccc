{{/*
Changes that an upgrade cannot make. They are refused before Kubernetes or Redis would get stuck in the middle of them. They
show by `lookup`, thus in helm install and upgrade; `helm template` sees nothing. Only objects that Helm itself reads are
looked up, because a missing right would end the upgrade; nodes are the exception, and have to be asked for.
*/}}
{{- define "ingot.refuseChanges" -}}
{{- include "ingot.refuseRename" . -}}
{{- include "ingot.refuseRedisChange" . -}}
{{- include "ingot.refuseLockMove" . -}}
{{- include "ingot.refuseStorageChange" . -}}
{{- include "ingot.refuseFewNodes" . -}}
{{- end -}}

{{/* (dict "context" $ "kind" KIND "name" NAME): the live object of this release as YAML, or nothing. */}}
{{- define "ingot.live" -}}
{{- $api := ternary "v1" "apps/v1" (eq .kind "PersistentVolumeClaim") -}}
{{- $live := lookup $api .kind .context.Release.Namespace .name | default dict -}}
{{- $labels := ($live.metadata).labels | default dict -}}
{{- if eq (index $labels "app.kubernetes.io/instance" | default "" | toString) .context.Release.Name -}}
{{- toYaml $live -}}
{{- end -}}
{{- end -}}

{{/* Another name is another database: the old one is deleted, and an empty one begins. */}}
{{- define "ingot.refuseRename" -}}
{{- $name := include "ingot.fullname" . -}}
{{- $plain := dict "Release" .Release "Values" (dict "nameOverride" "" "fullnameOverride" "") -}}
{{- $default := include "ingot.fullname" $plain -}}
{{- if and (ne $name $default) (include "ingot.live" (dict "context" . "kind" "Deployment" "name" $default)) -}}
{{- fail (printf "nameOverride and fullnameOverride would rename this release from %s to %s: its Postgres and Redis would be deleted, and empty ones begin. Leave them as they were, or install a second release" $default $name) -}}
{{- end -}}
{{- end -}}

{{/* What is written on the StatefulSet of Redis, to be compared by later upgrades. */}}
{{- define "ingot.redis.shape" -}}
{{- $redis := .Values.redis -}}
{{- $shape := dict "ingot.dev/redis-mode" $redis.mode -}}
{{- if eq $redis.mode "cluster" -}}
{{- $_ := set $shape "ingot.dev/redis-primaries" (toString $redis.cluster.masters) -}}
{{- else if eq $redis.mode "sentinel" -}}
{{- $_ := set $shape "ingot.dev/redis-primary-name" $redis.sentinel.masterName -}}
{{- end -}}
{{- toYaml $shape -}}
{{- end -}}

{{- define "ingot.refuseRedisChange" -}}
{{- $redis := .Values.redis -}}
{{- $name := include "ingot.redis.name" . -}}
{{- $live := include "ingot.live" (dict "context" . "kind" "StatefulSet" "name" $name) | fromYaml -}}
{{- if $live -}}
{{- $was := include "ingot.redis.liveShape" $live | fromYaml -}}
{{- $sets := ternary (printf "%s %s" $name (include "ingot.redis.sentinelName" .)) $name (eq $was.mode "sentinel") -}}
{{- $remedy := printf "Locks cannot move along. Install a second release and move clients to it; or stop the service (kubectl -n %s scale deployment/%s --replicas=0), delete the old Redis (kubectl -n %s delete statefulset %s) and its claims (kubectl -n %s delete pvc -l 'app.kubernetes.io/instance=%s,app.kubernetes.io/component in (redis,sentinel)'), and upgrade again. Stored items stay, locks are lost" .Release.Namespace (include "ingot.fullname" .) .Release.Namespace $sets .Release.Namespace .Release.Name -}}
{{- if and $was.mode (ne $was.mode $redis.mode) -}}
{{- fail (printf "redis.mode is %s, but this release runs Redis as %s, and an upgrade cannot change that in place. %s" $redis.mode $was.mode $remedy) -}}
{{- end -}}
{{- if and (eq $redis.mode "cluster") $was.primaries (ne $was.primaries (toString $redis.cluster.masters)) -}}
{{- fail (printf "redis.cluster.masters is %d, but this Redis Cluster has %s primaries, and an upgrade moves no slots between them. Set it back to %s; for another number: %s" (int $redis.cluster.masters) $was.primaries $was.primaries $remedy) -}}
{{- end -}}
{{- if and (eq $redis.mode "sentinel") $was.primaryName (ne $was.primaryName $redis.sentinel.masterName) -}}
{{- fail (printf "redis.sentinel.masterName is %q, but these Sentinels remember %q, and would not start with another name. Set it back" $redis.sentinel.masterName $was.primaryName) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Mode, primaries and primaryName of a live StatefulSet. Those of earlier charts have them in the environment alone. */}}
{{- define "ingot.redis.liveShape" -}}
{{- $notes := .metadata.annotations | default dict -}}
{{- $env := dict -}}
{{- range .spec.template.spec.containers -}}
{{- if eq .name "redis" -}}
{{- range .env -}}{{- $_ := set $env .name (.value | default "") -}}{{- end -}}
{{- end -}}
{{- end -}}
mode: {{ index $notes "ingot.dev/redis-mode" | default $env.MODE | quote }}
primaries: {{ index $notes "ingot.dev/redis-primaries" | default $env.CLUSTER_MASTERS | quote }}
primaryName: {{ index $notes "ingot.dev/redis-primary-name" | default $env.MASTER_NAME | quote }}
{{- end -}}

{{/*
From an external lock service to the chart's own, in front of a store that needs locks: while pods of both kinds run, each
has a lock service of its own. (The other way round ends at ingot.refuseRedisChange.)
*/}}
{{- define "ingot.refuseLockMove" -}}
{{- if and (include "ingot.needsLock" .) (include "ingot.redis.own" .) -}}
{{- $name := include "ingot.fullname" . -}}
{{- $live := include "ingot.live" (dict "context" . "kind" "Deployment" "name" $name) | fromYaml -}}
{{- if and $live (gt (int ($live.spec).replicas) 0) -}}
{{- $env := list -}}
{{- range $live.spec.template.spec.containers -}}
{{- if eq .name "ingot" }}{{ range .env }}{{ $env = append $env .name }}{{ end }}{{ end -}}
{{- end -}}
{{- if and (has "INGOT_LOCK_URL" $env) (not (has "LOCK_PASSWORD" $env)) -}}
{{- fail (printf "redis.mode is %s, but the pods of this release use an external lock service: during the rollout both kinds of pods would grant the same locks. Stop the service first (kubectl -n %s scale deployment/%s --replicas=0), wait until its pods are gone, and upgrade again" .Values.redis.mode .Release.Namespace $name) -}}
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
{{- if eq $v.redis.mode "sentinel" -}}
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
{{- fail (printf "%s.enabled is %t, but StatefulSet %s was made the other way, and Kubernetes does not change that. Set it back; or run `%s`, which leaves the pods running, and upgrade again: the pods are then replaced one by one, each with an empty volume" .path .enabled .name $again) -}}
{{- end -}}
{{- if .enabled -}}
{{- $size := toString $spec.resources.requests.storage -}}
{{- if ne (include "ingot.bytes" $size) (include "ingot.bytes" .values.size) -}}
{{- fail (printf "%s.size is %v, but the claims of StatefulSet %s were made with %s, and Kubernetes does not change that. Set it back; or, to grow volumes whose class allows it, patch each claim (kubectl -n %s patch pvc data-%s-0 -p '{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"%v\"}}}}'), run `%s`, which leaves the pods running, and upgrade again" .path .values.size .name $size .context.Release.Namespace .name .values.size $again) -}}
{{- end -}}
{{- $class := $spec.storageClassName | default "" -}}
{{- if ne $class .values.className -}}
{{- fail (printf "%s.className is %q, but the claims of StatefulSet %s were made with %q, and a volume cannot change its class. Set it back, or install a second release" .path .values.className .name $class) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A claim can grow, if its class allows it, and nothing else. */}}
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

{{/* Bytes of a quantity of Kubernetes, as text that can be compared. */}}
{{- define "ingot.bytes" -}}
{{- $text := include "ingot.number" . -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- printf "%.0f" (mulf $number (index $units (trimPrefix $number $text) | default 1)) -}}
{{- end -}}

{{/* Only if it is asked for: whoever may not list nodes could not install the chart otherwise. */}}
{{- define "ingot.refuseFewNodes" -}}
{{- $sentinel := .Values.redis.sentinel -}}
{{- if and (eq .Values.redis.mode "sentinel") $sentinel.hardAntiAffinity $sentinel.checkNodes -}}
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
{{- fail (printf "redis.sentinel.hardAntiAffinity puts each of %d Sentinels on a node of its own, and this cluster has %d nodes for them: the others would stay Pending. For a trial set redis.sentinel.hardAntiAffinity=false" (int $sentinel.replicas) (int $usable)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
