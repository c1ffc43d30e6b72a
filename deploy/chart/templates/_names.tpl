{{/* What every object is called by, and its labels. */}}
{{- define "harmonic.name" -}}
{{- if contains "harmonic" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-harmonic" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "harmonic.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/name: harmonic-universe
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: harmonic-universe
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The labels that select the pods of a service: (list $ "gateway"). */}}
{{- define "harmonic.selector" -}}
app.kubernetes.io/name: harmonic-universe
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "harmonic.image" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}harmonic-{{ index . 1 }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{- define "harmonic.brokerScheme" -}}
{{ ternary "tls" "nats" .Values.bus.tls.enabled }}
{{- end }}

{{- define "harmonic.brokerUrl" -}}
{{- if .Values.bus.url }}{{ .Values.bus.url }}
{{- else }}{{ include "harmonic.brokerScheme" . }}://{{ .Values.nats.fullnameOverride }}:4222{{ end }}
{{- end }}

{{- define "harmonic.brokerLabels" -}}
{{- if .Values.bus.podLabels }}{{ toYaml .Values.bus.podLabels }}
{{- else }}app.kubernetes.io/name: nats
app.kubernetes.io/instance: {{ .Release.Name }}{{ end }}
{{- end }}

{{/* The time a pod may take to end: its notice, its clients' moves, its stop, and five seconds. */}}
{{- define "harmonic.gracePeriod" -}}
{{- add (index . "drainNoticeSeconds") (index . "stopTimeoutSeconds") 5 }}
{{- end }}

{{/* A volume's size such as 20Gi in bytes: (list PATH SIZE). */}}
{{- define "harmonic.bytes" -}}
{{- $number := regexFind "^[0-9]+" (index . 1) | int64 -}}
{{- $unit := regexFind "[A-Za-z]*$" (index . 1) -}}
{{- $units := dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- if not (hasKey $units $unit) }}{{ fail (printf "%s: %q is not a size such as 20Gi" (index . 0) (index . 1)) }}{{ end -}}
{{- mul $number (index $units $unit) }}
{{- end }}
