{{/* Number of pods and type of the Kubernetes Service. */}}

{{/* With a nodePort, ClusterIP means NodePort. */}}
{{- define "ingot.service.type" -}}
{{- $service := .Values.service -}}
{{- if and $service.nodePort (eq $service.type "ClusterIP") -}}NodePort{{- else -}}{{ $service.type }}{{- end -}}
{{- end -}}

{{/*
Number of pods; empty to omit the field. If the autoscaler is enabled, it owns the number. If the chart omitted the field
then, Helm would remove the number that it had set, and the Deployment would shrink to 1 until the autoscaler acts. So the
chart renders the installed number. `helm template` cannot read it and omits the field.
*/}}
{{- define "ingot.service.replicas" -}}
{{- $autoscaling := .Values.service.autoscaling -}}
{{- if not $autoscaling.enabled -}}
{{- .Values.service.replicas -}}
{{- else -}}
{{- with (lookup "apps/v1" "Deployment" .Release.Namespace (include "ingot.fullname" .)).spec -}}
{{- max (int .replicas) (int $autoscaling.minReplicas) | min (int $autoscaling.maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- end -}}
