bind * -::*
protected-mode no
{{- if .Values.redis.tls.enabled }}
port 0
tls-port 6379
tls-cert-file /etc/ingot/redis-tls/tls.crt
tls-key-file /etc/ingot/redis-tls/tls.key
tls-ca-cert-file /etc/ingot/redis-tls/ca.crt
tls-auth-clients no
{{- else }}
port 6379
{{- end }}
aclfile /run/redis/users.acl
dir /data
appendonly no
save ""
maxmemory {{ include "ingot.redis.maxmemory" (dict "what" "cache.resources.limits.memory" "limit" .Values.cache.resources.limits.memory) }}
maxmemory-policy {{ .Values.cache.maxmemoryPolicy }}
