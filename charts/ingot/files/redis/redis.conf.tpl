# Settings that are the same in every pod. start-redis.sh adds the others.
{{- $redis := .Values.redis }}
bind * -::*
protected-mode no
{{- if $redis.tls.enabled }}
port 0
tls-port 6379
tls-cert-file /etc/ingot/redis-tls/tls.crt
tls-key-file /etc/ingot/redis-tls/tls.key
tls-ca-cert-file /etc/ingot/redis-tls/ca.crt
# clients authenticate with user and password
tls-auth-clients no
tls-replication yes
{{- if eq $redis.mode "cluster" }}
tls-cluster yes
{{- end }}
{{- else }}
port 6379
{{- end }}
aclfile /run/redis/users.acl
dir /data
# `always`: a write is on disk before it is acknowledged
appendonly yes
appendfsync {{ $redis.persistence.appendfsync }}
save ""
maxmemory {{ include "ingot.redis.maxmemory" (dict "what" "redis.resources.limits.memory" "limit" $redis.resources.limits.memory "given" $redis.maxmemory) }}
# an evicted lock could be granted to a second holder
maxmemory-policy noeviction
min-replicas-to-write {{ include "ingot.redis.minReplicas" . }}
min-replicas-max-lag {{ $redis.minReplicasMaxLagSeconds }}
replica-announce-port 6379
# a replica that was briefly disconnected continues without a full copy
repl-backlog-size 32mb
repl-diskless-sync-delay 1
repl-timeout 15
tcp-keepalive 30
shutdown-timeout 10
{{- if eq $redis.mode "cluster" }}
cluster-enabled yes
cluster-config-file /data/nodes.conf
cluster-node-timeout {{ $redis.cluster.nodeTimeoutMs }}
cluster-preferred-endpoint-type hostname
# a shard without a primary does not stop the others
cluster-require-full-coverage no
{{- end }}
{{- with $redis.extraConfig }}
{{ . }}
{{- end }}
