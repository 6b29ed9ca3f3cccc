{{/* Refuses values that are valid alone but contradict each other. Each message says what to do. */}}
{{- define "ingot.validate" -}}
{{- $v := .Values -}}
{{- range $key, $rule := .Files.Get "files/config-rules.json" | fromJson -}}
{{- $given := index $v.service.config $key -}}
{{- if and $given (not (regexMatch $rule.pattern $given)) -}}
{{- fail (printf "service.config.%s: %q is not %s" $key $given $rule.allowed) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.store.mode "external") (not $v.store.external.existingSecret) -}}
{{- fail "store.mode is external: name the Secret that holds the DSN in store.external.existingSecret" -}}
{{- end -}}
{{- if and (eq $v.store.mode "http") (not $v.store.http.url) (not $v.legacyBackend.enabled) -}}
{{- fail "store.mode is http: give the address of your API in store.http.url, or set legacyBackend.enabled=true for a drill" -}}
{{- end -}}
{{- if and $v.store.http.url (not (regexMatch "^https?://." $v.store.http.url)) -}}
{{- fail (printf "store.http.url: %q must begin with http:// or https://" $v.store.http.url) -}}
{{- end -}}
{{- if and $v.store.http.url (not $v.store.http.mapping) -}}
{{- fail "store.http.url is set, but store.http.mapping is empty: describe the calls of the API, starting from examples/legacy-backend/mapping.json" -}}
{{- end -}}
{{- if and $v.legacyBackend.enabled (or (ne $v.store.mode "http") $v.store.http.url) -}}
{{- fail "legacyBackend.enabled=true has no effect with this store: set store.mode=http and leave store.http.url empty, or disable it" -}}
{{- end -}}
{{- if and (eq $v.store.mode "http") (eq $v.lock.mode "never") -}}
{{- fail "lock.mode is never, but an http store cannot refuse duplicates by itself: set lock.mode=auto" -}}
{{- end -}}
{{- if and (eq $v.lock.fences.mode "external") (not $v.lock.fences.existingSecret) -}}
{{- fail "lock.fences.mode is external: name the Secret that holds the DSN in lock.fences.existingSecret" -}}
{{- end -}}
{{- $noLocks := not (or (include "ingot.redis.own" .) (include "ingot.lock.given" .)) -}}
{{- if and $v.lock.url $v.lock.existingSecret -}}
{{- fail "lock.url and lock.existingSecret are both set: keep one of them. A URL with a password belongs into the Secret" -}}
{{- end -}}
{{- if and $v.lock.directKey (not $v.lock.existingSecret) -}}
{{- fail "lock.directKey names a key of a Secret: name the Secret in lock.existingSecret" -}}
{{- end -}}
{{- if and (include "ingot.needsLock" .) $noLocks -}}
{{- fail "this store, or lock.mode=always, needs a lock service: set redis.mode to standalone, sentinel or cluster, or give lock.url or lock.existingSecret" -}}
{{- end -}}
{{- if and $v.canary.enabled (eq (include "ingot.redis.mode" .) "redlock") -}}
{{- fail "canary.enabled=true checks a Redis with one history, and the servers of redis.mode=redlock have one each: disable it" -}}
{{- end -}}
{{- if and $v.canary.enabled (or $noLocks (and $v.lock.url (not (hasPrefix "redis" $v.lock.url)))) -}}
{{- fail "canary.enabled=true needs a Redis to check: set redis.mode to standalone, sentinel or cluster, or give the address of a Redis in lock.url or lock.existingSecret" -}}
{{- end -}}
{{- if and $v.cache.enabled (eq $v.store.mode "http") -}}
{{- fail "cache.enabled=true has no effect with an http store, only with Postgres: disable it" -}}
{{- end -}}
{{- with $v.store.http.ca -}}
{{- if and .existingSecret .existingConfigMap -}}
{{- fail "store.http.ca has existingSecret and existingConfigMap: keep one of them" -}}
{{- end -}}
{{- if and (or .existingSecret .existingConfigMap) (or (ne $v.store.mode "http") (not (hasPrefix "https:" $v.store.http.url))) -}}
{{- fail "store.http.ca is only for an https store: set store.mode=http and a store.http.url that begins with https://, or leave it empty" -}}
{{- end -}}
{{- end -}}
{{- end -}}
