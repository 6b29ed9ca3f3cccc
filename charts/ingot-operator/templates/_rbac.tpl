{{/* What the operator may do in every namespace where it works. A release of the chart ingot gives it more. */}}
{{- define "ingot-operator.watchRules" -}}
- apiGroups: [ingot.dev]
  resources: [redistopologies, failoverdrills, drillschedules]
  verbs: [list, watch]
- apiGroups: [ingot.dev]
  resources: [redistopologies/status, failoverdrills/status, drillschedules/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# drills: those of schedules are created and deleted, and others are marked to abort
- apiGroups: [ingot.dev]
  resources: [failoverdrills]
  verbs: [get, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list]
{{- end -}}

{{/* (dict "context" $ "kind" Role|ClusterRole "name" NAME "namespace" NAMESPACE): binds the role to the operator. */}}
{{- define "ingot-operator.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  {{- include "ingot-operator.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ .context.Values.serviceAccount.name | quote }}
    namespace: {{ .context.Release.Namespace | quote }}
{{- end -}}
