{{/* How Kubernetes runs the service: number of pods, kind of Service. */}}

{{/* With a nodePort a ClusterIP Service is a NodePort Service. */}}
{{- define "ingot.service.type" -}}
{{- $service := .Values.service -}}
{{- if and $service.nodePort (eq $service.type "ClusterIP") -}}NodePort{{- else -}}{{ $service.type }}{{- end -}}
{{- end -}}

{{/*
The number of pods; empty to leave the field out. The autoscaler owns the number once it is on. Without the field,
Helm would remove the number that it had set, and the Deployment would fall to 1 until the autoscaler acts. So the number
that is live stays. `helm template` cannot see it and leaves the field out.
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
