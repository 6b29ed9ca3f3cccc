# What never depends on the pod; start-redis.sh adds the rest.
{{- $redis := .Values.redis }}
bind * -::*
protected-mode no
{{- if $redis.tls.enabled }}
port 0
tls-port 6379
tls-cert-file /etc/ingot/redis-tls/tls.crt
tls-key-file /etc/ingot/redis-tls/tls.key
tls-ca-cert-file /etc/ingot/redis-tls/ca.crt
# who somebody is, is shown by user and password
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
# with `always` nothing is acknowledged that is not on disk
appendonly yes
appendfsync {{ $redis.persistence.appendfsync }}
save ""
maxmemory {{ include "ingot.redis.maxmemory" (dict "what" "redis.resources.limits.memory" "limit" $redis.resources.limits.memory "given" $redis.maxmemory) }}
# a lock that is evicted is a lock that two hold
maxmemory-policy noeviction
min-replicas-to-write {{ include "ingot.redis.minReplicas" . }}
min-replicas-max-lag {{ $redis.minReplicasMaxLagSeconds }}
replica-announce-port 6379
# a replica that was away for a moment goes on where it was
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
# one shard without a master does not stop the others
cluster-require-full-coverage no
{{- end }}
{{- with $redis.extraConfig }}
{{ . }}
{{- end }}
