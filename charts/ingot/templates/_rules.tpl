{{/* Refuses invalid combinations of values by subject, without queries to the cluster. Each message says what to do. */}}

{{/* Names and labels. */}}
{{- define "ingot.validateNames" -}}
{{- $v := .Values -}}
{{- $name := include "ingot.fullname" . -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- fail (printf "names of this release would begin with %q, and a Service must begin with a letter: set fullnameOverride" $name) -}}
{{- end -}}
{{- if and (not $v.serviceAccount.create) $v.serviceAccount.annotations -}}
{{- fail "serviceAccount.annotations has no effect on an account that the chart does not create: annotate the account itself, or set serviceAccount.create=true" -}}
{{- end -}}
{{- $components := dict "service" $v.service "redis" $v.redis "redis.sentinel" $v.redis.sentinel "cache" $v.cache "postgres" $v.postgres "legacyBackend" $v.legacyBackend "canary" $v.canary "export" $v.export "test" $v.test -}}
{{- $places := dict "commonLabels" $v.commonLabels -}}
{{- range $path, $values := $components -}}
{{- $_ := set $places (printf "%s.podLabels" $path) $values.podLabels -}}
{{- end -}}
{{- range $path, $values := $components -}}
{{- $names := list -}}
{{- if eq $path "service" -}}
{{- $own := printf "%s\n%s\n%s" (include "ingot.env" $) (include "ingot.lock.env" $) (include "ingot.cacheEnv" $) -}}
{{- range fromYamlArray $own }}{{ $names = append $names .name }}{{ end -}}
{{- end -}}
{{- range $values.extraEnv -}}
{{- if has .name $names -}}
{{- fail (printf "%s.extraEnv sets %s, which is set already: set each variable once, and use the chart's own values where they exist" $path .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- $selecting := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
{{- range $path, $labels := $places -}}
{{- range $selecting -}}
{{- if hasKey $labels . -}}
{{- fail (printf "%s sets %s, which the chart uses to select pods: use another label" $path .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Redis: the times that limit how long two primaries could both grant locks. */}}
{{- define "ingot.validateRedis" -}}
{{- $redis := .Values.redis -}}
{{- $mode := include "ingot.redis.mode" . -}}
{{- $lease := include "ingot.configDuration" (dict "context" . "key" "lockTtl") -}}
{{- $leaseMs := include "ingot.milliseconds" $lease | float64 -}}
{{- if eq $mode "sentinel" -}}
{{- if gt (int $redis.sentinel.quorum) (int $redis.sentinel.replicas) -}}
{{- fail (printf "redis.sentinel.quorum is %d, and there are only %d Sentinels: no failover would ever start. Set it to at most redis.sentinel.replicas, or to 0 for a majority" (int $redis.sentinel.quorum) (int $redis.sentinel.replicas)) -}}
{{- end -}}
{{- if ge (float64 $redis.sentinel.downAfterMs) $leaseMs -}}
{{- fail (printf "redis.sentinel.downAfterMs is %d, and the lease is %s (service.config.lockTtl): locks would end before a failover starts. Set it below the lease" (int $redis.sentinel.downAfterMs) $lease) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $mode "cluster") (ge (float64 $redis.cluster.nodeTimeoutMs) $leaseMs) -}}
{{- fail (printf "redis.cluster.nodeTimeoutMs is %d, and the lease is %s (service.config.lockTtl): locks would end before a failover starts. Set it below the lease" (int $redis.cluster.nodeTimeoutMs) $lease) -}}
{{- end -}}
{{- if and (has $mode (list "sentinel" "cluster")) (gt (mulf $redis.minReplicasMaxLagSeconds 3000) $leaseMs) -}}
{{- fail (printf "redis.minReplicasMaxLagSeconds is %d, more than a third of the lease (service.config.lockTtl, %s): an isolated primary would grant locks for too long. Set it to at most %d, or make the lease longer" (int $redis.minReplicasMaxLagSeconds) $lease (divf $leaseMs 3000 | floor | int)) -}}
{{- end -}}
{{- end -}}

{{/* Autoscaler and Kubernetes Service. */}}
{{- define "ingot.validateFront" -}}
{{- $service := .Values.service -}}
{{- $type := include "ingot.service.type" . -}}
{{- with $service.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail "service.autoscaling.minReplicas is above service.autoscaling.maxReplicas: set it to at most maxReplicas" -}}
{{- end -}}
{{- if and .enabled (not .metrics) (not .targetCPUUtilizationPercentage) (not .targetMemoryUtilizationPercentage) -}}
{{- fail "service.autoscaling.enabled=true needs a metric: set targetCPUUtilizationPercentage, targetMemoryUtilizationPercentage or metrics" -}}
{{- end -}}
{{- end -}}
{{- if ne $type "LoadBalancer" -}}
{{- range $field := list "loadBalancerClass" "loadBalancerSourceRanges" -}}
{{- if index $service $field -}}
{{- fail (printf "service.%s is for a load balancer, and the Service is a %s: set service.type=LoadBalancer" $field $type) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $service.externalTrafficPolicy (eq $type "ClusterIP") -}}
{{- fail "service.externalTrafficPolicy is for traffic from outside, and the Service is a ClusterIP: set service.type to NodePort or LoadBalancer" -}}
{{- end -}}
{{- end -}}

{{/* Ingress, HTTPRoute and export. */}}
{{- define "ingot.validateExtras" -}}
{{- $v := .Values -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.enabled=true needs at least one entry in ingress.hosts, such as {host: ingot.example}" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled=true needs the Gateway that serves it: name it in httpRoute.parentRefs, such as {name: public, namespace: gateways}" -}}
{{- end -}}
{{- with $v.export -}}
{{- if and .enabled (not .collections) -}}
{{- fail "export.enabled=true needs collections: name them in export.collections" -}}
{{- end -}}
{{- if and .existingClaim .volume -}}
{{- fail "export.existingClaim and export.volume are both set: keep one of them" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* With secrets.requireExisting: refuses, and lists the Secrets that the chart would generate. */}}
{{- define "ingot.requireSecrets" -}}
{{- $v := .Values -}}
{{- if $v.secrets.requireExisting -}}
{{- $own := include "ingot.redis.any" . -}}
{{- $missing := list -}}
{{- if and (eq $v.access.mode "token") (not $v.access.existingSecret) -}}
{{- $missing = append $missing "access.existingSecret (keys tokens.json and token)" -}}
{{- end -}}
{{- if and (include "ingot.hasPostgres" .) (not $v.postgres.existingSecret) -}}
{{- $missing = append $missing "postgres.existingSecret (key password)" -}}
{{- end -}}
{{- if and $own (not $v.redis.auth.existingSecret) -}}
{{- $missing = append $missing "redis.auth.existingSecret (keys password, replication-password, sentinel-password, admin-password and operator-password)" -}}
{{- end -}}
{{- if and $own $v.redis.tls.enabled (not $v.redis.tls.existingSecret) -}}
{{- $missing = append $missing "redis.tls.existingSecret (keys ca.crt, tls.crt and tls.key)" -}}
{{- end -}}
{{- with $missing -}}
{{- fail (printf "secrets.requireExisting is true, so the chart generates no passwords: create the Secrets and name them in %s" (join ", " .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
