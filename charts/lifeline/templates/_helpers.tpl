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

{{- define "lifeline.releaseLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/*
The component keeps the pod of "helm test" out of the Service and out of the
hands of the DaemonSet, which adopts every pod that it selects.
*/}}
{{- define "lifeline.selectorLabels" -}}
{{ include "lifeline.releaseLabels" . }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "lifeline.labels" -}}
{{ include "lifeline.releaseLabels" . }}
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
  {{- with .kubectlProxyURL }}
  - name: LIFELINE_KUBECTL_PROXY_URL
    value: {{ . | quote }}
  {{- end }}
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

{{/*
What a PodMonitor and a ServiceMonitor have in common. Takes the values of
either.
*/}}
{{- define "lifeline.scrape" -}}
port: http
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
relabelings:
  # By it the alerts tell the trouble of a node from that of a pod.
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
{{- end -}}

{{/*
The length of a Go duration. dateModify reads it as the agent does.
*/}}
{{- define "lifeline.nanoseconds" -}}
{{- (toDate "2006-01-02T15:04:05Z07:00" "1970-01-01T00:00:00Z" | mustDateModify .).UnixNano -}}
{{- end -}}

{{/*
The size of a memory quantity of Kubernetes (48Mi) or of GOMEMLIMIT (43MiB).
*/}}
{{- define "lifeline.bytes" -}}
{{- $factors := dict "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18
  "Ki" 0x1p10 "Mi" 0x1p20 "Gi" 0x1p30 "Ti" 0x1p40 "Pi" 0x1p50 "Ei" 0x1p60 -}}
{{- $quantity := trimSuffix "B" . -}}
{{- $unit := regexFind "[A-Za-z]*$" $quantity -}}
{{- mulf (trimSuffix $unit $quantity) (get $factors $unit | default 1) -}}
{{- end -}}
