{{/* Whether the probe can sign in: with tokens of its own, or by the secret of the gateways. */}}
{{- define "harmonic.probeSignsIn" -}}
{{- if or .Values.probe.tokensSecret .Values.gateway.secret.jwtSecretKey }}true{{ end }}
{{- end }}

{{- define "harmonic.probeUrl" -}}
{{- $scheme := hasKey .Values.gateway.settings "HARMONIC_TLS_CERT_FILE" | ternary "https" "http" -}}
{{- .Values.probe.url | default (printf "%s://%s-gateway:%v" $scheme (include "harmonic.name" .) .Values.gateway.service.port) }}
{{- end }}

{{/* The pod of the probe: (dict "root" $ "name" "probe" "arguments" (list "--rounds" "1")). */}}
{{- define "harmonic.probePod" -}}
{{- $root := .root -}}
automountServiceAccountToken: false
enableServiceLinks: false
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
containers:
  - name: probe
    image: {{ include "harmonic.image" (list $root "operator") | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      - probe
      - --url={{ include "harmonic.probeUrl" $root }}
      - --universe={{ .name }}
      {{- if $root.Values.probe.tokensSecret }}
      - --tokens=/etc/harmonic/probe/tokens
      {{- else }}
      - --secret-file=/etc/harmonic/probe/jwt-secret
      {{- end }}
      {{- range .arguments }}
      - {{ . }}
      {{- end }}
    env:
      - {name: HARMONIC_OPS_HOST, value: "0.0.0.0"}
      - {name: HARMONIC_OPS_PORT, value: "9100"}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    ports:
      - {name: ops, containerPort: 9100}
    readinessProbe:
      httpGet: {path: /readyz, port: ops}
    livenessProbe:
      httpGet: {path: /healthz, port: ops}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    resources:
      {{- toYaml $root.Values.probe.resources | nindent 6 }}
    volumeMounts:
      - {name: probe, mountPath: /etc/harmonic/probe, readOnly: true}
volumes:
  - name: probe
    secret:
      {{- if $root.Values.probe.tokensSecret }}
      secretName: {{ $root.Values.probe.tokensSecret }}
      defaultMode: 0440
      items: [{key: tokens, path: tokens}]
      {{- else }}
      secretName: {{ $root.Values.gateway.secret.name }}
      defaultMode: 0440
      items: [{key: {{ $root.Values.gateway.secret.jwtSecretKey }}, path: jwt-secret}]
      {{- end }}
{{- end }}
