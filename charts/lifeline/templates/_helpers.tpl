{{/*
A release name has at most 53 characters, so that with the chart's name it still
is a DNS label, as the name of a Service must be.
*/}}
{{- define "lifeline.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name }}
{{- else -}}
{{ .Release.Name }}-{{ .Chart.Name }}
{{- end -}}
{{- end -}}

{{- define "lifeline.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "lifeline.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/*
The component keeps the pod of "helm test" out of the Service and out of the
hands of the DaemonSet, which adopts every pod that it selects.
*/}}
{{- define "lifeline.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "lifeline.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/*
What the agent's pod and the pod of "helm test" have in common, so that the
test takes the same way to the API.

Service links are off for two reasons: kubelet gives KUBERNETES_SERVICE_HOST
without them, and a Service named lifeline would otherwise put LIFELINE_PORT and
the like among the agent's configuration.
*/}}
{{- define "lifeline.podSpec" -}}
serviceAccountName: {{ include "lifeline.serviceAccountName" . }}
# The token is what is watched, so it is mounted whatever the service account
# says.
automountServiceAccountToken: true
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "lifeline.container" -}}
{{- with .Values.image -}}
image: {{ .digest | empty | ternary (printf "%s:%s" .repository (.tag | default $.Chart.AppVersion)) (printf "%s@%s" .repository .digest) | quote }}
imagePullPolicy: {{ .pullPolicy }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  - name: LIFELINE_LISTEN
    value: ":{{ .Values.port }}"
  {{- with .Values.config }}
  - name: LIFELINE_INTERVAL
    value: {{ .interval | quote }}
  {{- with .timeout }}
  - name: LIFELINE_TIMEOUT
    value: {{ . | quote }}
  {{- end }}
  - name: LIFELINE_LOG_LEVEL
    value: {{ .logLevel | quote }}
  - name: LIFELINE_LOG_FORMAT
    value: {{ .logFormat | quote }}
  {{- with .skip }}
  - name: LIFELINE_SKIP
    value: {{ join "," . | quote }}
  {{- end }}
  - name: LIFELINE_READY_CHECKS
    value: {{ join "," .readyChecks | quote }}
  - name: LIFELINE_READY_FAILURES
    value: {{ .readyFailures | quote }}
  - name: LIFELINE_READY_SUCCESSES
    value: {{ .readySuccesses | quote }}
  {{- end }}
  {{- with .Values.goMemoryLimit }}
  - name: GOMEMLIMIT
    value: {{ . | quote }}
  {{- end }}
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  - name: POD_UID
    valueFrom:
      fieldRef:
        fieldPath: metadata.uid
  - name: POD_SERVICE_ACCOUNT
    valueFrom:
      fieldRef:
        fieldPath: spec.serviceAccountName
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
