bind * -::*
protected-mode no
{{- if .Values.redis.tls.enabled }}
port 0
tls-port 26379
tls-cert-file /etc/ingot/redis-tls/tls.crt
tls-key-file /etc/ingot/redis-tls/tls.key
tls-ca-cert-file /etc/ingot/redis-tls/ca.crt
tls-auth-clients no
tls-replication yes
{{- else }}
port 26379
{{- end }}
aclfile /run/redis/users.acl
dir /data
sentinel deny-scripts-reconfig yes
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-port 26379
