{{/*
(dict "context" $ "component" NAME "suffix" TEXT "port" NAME "monitor" VALUES "endpoints" FIELD "kind" KIND): a monitor. The
rules select by job, so it is set here: the first part of names, and a suffix.
*/}}
{{- define "ingot.metrics.monitor" -}}
{{- $name := printf "%s%s" (include "ingot.fullname" .context) .suffix -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ .kind }}
metadata:
  {{- include "ingot.metadata" (dict "context" .context "component" .component "name" $name "labels" .monitor.labels) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "ingot.selectorLabels" . | nindent 6 }}
  {{ .endpoints }}:
    - port: {{ .port }}
      path: /metrics
      {{- with .monitor.interval }}
      interval: {{ . }}
      {{- end }}
      relabelings:
        - { targetLabel: job, replacement: {{ $name | quote }} }
{{- end -}}

{{/* "true" if the Redis pods have an exporter. */}}
{{- define "ingot.metrics.exporter" -}}
{{- if and .Values.metrics.redisExporter.enabled (include "ingot.redis.own" .) -}}true{{- end -}}
{{- end -}}

{{/* Refuses values without effect. */}}
{{- define "ingot.validateMetrics" -}}
{{- $metrics := .Values.metrics -}}
{{- if and $metrics.redisExporter.enabled (not (include "ingot.redis.own" .)) -}}
{{- fail "metrics.redisExporter.enabled=true has no effect on a Redis outside of the release: run an exporter beside that Redis, or set redis.mode to standalone, sentinel or cluster" -}}
{{- end -}}
{{- if and $metrics.podMonitor.enabled (not $metrics.redisExporter.enabled) -}}
{{- fail "metrics.podMonitor.enabled=true has nothing to scrape: set metrics.redisExporter.enabled=true; metrics.serviceMonitor.enabled=true scrapes the service" -}}
{{- end -}}
{{- end -}}
