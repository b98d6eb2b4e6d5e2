{{- define "cloudflux.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "cloudflux.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "cloudflux.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cloudflux.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cloudflux.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (printf "%s-operator" (include "cloudflux.fullname" .)) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "cloudflux.secretsRole" -}}
{{- printf "%s-secrets" (include "cloudflux.fullname" .) -}}
{{- end -}}

{{- define "cloudflux.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cloudflux.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cloudflux.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: cloudflux
{{ include "cloudflux.selectorLabels" . }}
{{- end -}}

{{- define "cloudflux.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What the operator does in the namespaces that it serves. */}}
{{- define "cloudflux.servingRules" -}}
# the three kinds are watched
- apiGroups: [cloudflux.io]
  resources: [datasets, tieringpolicies, migrationjobs]
  verbs: [get, list, watch]
# every claim, transition and figure is a status
- apiGroups: [cloudflux.io]
  resources: [datasets/status, tieringpolicies/status, migrationjobs/status]
  verbs: [get, update, patch]
# policies make jobs; ttlSecondsAfterFinished removes them
- apiGroups: [cloudflux.io]
  resources: [migrationjobs]
  verbs: [create, delete]
# NAME-location of each data set that was moved; one of another owner is never touched
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, update]
# list: after a start, transitions that nobody was told of are told
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, list, patch]
{{- if .Values.workers.enabled }}
# worker pods of big moves, one Job a MigrationJob, known by its name
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, get, delete]
# is the ServiceAccount that they run as labelled for it?
- apiGroups: [""]
  resources: [serviceaccounts]
  resourceNames: [{{ .Values.workers.serviceAccountName }}]
  verbs: [get]
# is a claim that a job mounts labelled for it?
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
{{- end }}
{{- end -}}

{{- define "cloudflux.consoleSelector" -}}
app.kubernetes.io/name: {{ include "cloudflux.name" . }}-console
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cloudflux.consoleLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: cloudflux
{{ include "cloudflux.consoleSelector" . }}
{{- end -}}

{{/* What the console reads in the namespaces that are served. */}}
{{- define "cloudflux.consoleRules" -}}
- apiGroups: [cloudflux.io]
  resources: [datasets, tieringpolicies, migrationjobs]
  verbs: [get, list, watch]
{{- end -}}

{{- /* what opens the operator's event log to the console */ -}}
{{- define "cloudflux.eventsSecret" -}}
{{- default (printf "%s-events-token" (include "cloudflux.fullname" .)) .Values.console.operatorLog.existingSecret -}}
{{- end -}}
