{{/* A service's deployment: (dict "root" $ "name" "gateway" "values" .Values.gateway). */}}
{{- define "harmonic.deployment" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $name := .name -}}
{{- $scaled := dig "autoscaling" "enabled" false $values -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "harmonic.name" $root }}-{{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "harmonic.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $name }}
spec:
  {{- if not $scaled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  # No replica ends before another one serves.
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- include "harmonic.selector" (list $root $name) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "harmonic.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $name }}
      annotations:
        # Settings are part of the pod, so that a changed one rolls it. Secrets and certificates are
        # read again when their files change: no checksum of them stands here.
        kubectl.kubernetes.io/default-container: {{ $name }}
    spec:
      {{- include "harmonic.pod" . | nindent 6 }}
{{- end }}

{{/* The pod of a service, before its `podPatch`. */}}
{{- define "harmonic.ownPod" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $name := .name -}}
serviceAccountName: {{ include "harmonic.name" $root }}-{{ $name }}
automountServiceAccountToken: false
# The variables of service links would be taken for settings.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "harmonic.gracePeriod" $values }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "harmonic.selector" (list $root $name) | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "harmonic.selector" (list $root $name) | nindent 8 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ $name }}
    image: {{ include "harmonic.image" (list $root $name) | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    ports:
      {{- if eq $name "gateway" }}
      - {name: clients, containerPort: 8000}
      {{- end }}
      - {name: ops, containerPort: 9100}
    env:
      {{- include "harmonic.environment" . | nindent 6 }}
    # Generous: it waits for the brokers, as it says in the body.
    startupProbe:
      httpGet: {path: /startupz, port: ops}
      periodSeconds: 2
      failureThreshold: 180
    readinessProbe:
      httpGet: {path: /readyz, port: ops}
      periodSeconds: 2
      failureThreshold: 2
    # It asks whether the process answers, and never a broker.
    livenessProbe:
      httpGet: {path: /healthz, port: ops}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    volumeMounts:
      {{- if $root.Values.bus.tls.enabled }}
      - {name: bus-certificate, mountPath: /etc/harmonic/bus, readOnly: true}
      {{- else if $root.Values.bus.passwordsSecret }}
      - {name: bus-password, mountPath: /etc/harmonic/bus, readOnly: true}
      {{- end }}
      {{- if eq $name "gateway" }}
      - {name: secrets, mountPath: /etc/harmonic/secrets, readOnly: true}
      {{- end }}
      {{- with $values.volumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  {{- if $root.Values.bus.tls.enabled }}
  - name: bus-certificate
    secret: {secretName: {{ index $root.Values.bus.tls.secrets $name }}, defaultMode: 0440}
  {{- else if $root.Values.bus.passwordsSecret }}
  - name: bus-password
    secret:
      secretName: {{ $root.Values.bus.passwordsSecret }}
      defaultMode: 0440
      items:
        - {key: {{ $name }}, path: password}
  {{- end }}
  {{- if eq $name "gateway" }}
  - name: secrets
    secret:
      secretName: {{ $values.secret.name }}
      defaultMode: 0440
      items:
        {{- range $named, $key := omit $values.secret "name" }}
        {{- with $key }}
        - {key: {{ . }}, path: {{ $named | trimSuffix "Key" | kebabcase }}}
        {{- end }}
        {{- end }}
  {{- end }}
  {{- with $values.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "harmonic.pod" -}}
{{- $own := include "harmonic.ownPod" . | fromYaml -}}
{{- toYaml (mergeOverwrite $own (deepCopy .values.podPatch)) }}
{{- end }}

{{/* A service's variables: those that the chart decides, then the values' settings. */}}
{{- define "harmonic.environment" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $name := .name -}}
- name: HARMONIC_INSTANCE
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- $own := dict
    "HARMONIC_NATS_URL" (include "harmonic.brokerUrl" $root)
    "HARMONIC_OPS_HOST" "0.0.0.0"
    "HARMONIC_OPS_PORT" 9100
    "HARMONIC_DRAIN_NOTICE_S" $values.drainNoticeSeconds
    "HARMONIC_STOP_TIMEOUT_S" $values.stopTimeoutSeconds }}
{{- if $root.Values.bus.tls.enabled }}
{{- $_ := set $own "HARMONIC_NATS_CA_FILE" "/etc/harmonic/bus/ca.crt" }}
{{- $_ := set $own "HARMONIC_NATS_CERT_FILE" "/etc/harmonic/bus/tls.crt" }}
{{- $_ := set $own "HARMONIC_NATS_KEY_FILE" "/etc/harmonic/bus/tls.key" }}
{{- else if $root.Values.bus.passwordsSecret }}
{{- $_ := set $own "HARMONIC_NATS_USER" $name }}
{{- $_ := set $own "HARMONIC_NATS_PASSWORD_FILE" "/etc/harmonic/bus/password" }}
{{- end }}
{{- if eq $name "gateway" }}
{{- $_ := set $own "HARMONIC_HOST" "0.0.0.0" }}
{{- $_ := set $own "HARMONIC_PORT" 8000 }}
{{- $_ := set $own "HARMONIC_DRAIN_STAGGER_S" $values.drainStaggerSeconds }}
{{- range $named, $key := omit $values.secret "name" }}
{{- $setting := $named | trimSuffix "Key" }}
{{- if $key }}{{ $_ := set $own (printf "HARMONIC_%s_FILE" ($setting | snakecase | upper)) (printf "/etc/harmonic/secrets/%s" ($setting | kebabcase)) }}{{ end }}
{{- end }}
{{- else if eq $name "state" }}
{{- $_ := set $own "HARMONIC_STREAM_REPLICAS" $root.Values.streamReplicas }}
{{- end }}
{{- range $variable, $value := mergeOverwrite $own (deepCopy $root.Values.settings) (deepCopy $values.settings) }}
- name: {{ $variable }}
  {{- if kindIs "float64" $value }}
  value: {{ ternary (int64 $value | toString) (toString $value) (eq (floor $value) $value) | quote }}
  {{- else }}
  value: {{ $value | toString | quote }}
  {{- end }}
{{- end }}
{{- end }}
