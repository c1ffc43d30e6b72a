{{/* The probe's pod: (dict "root" $ "rounds" 1), or without rounds for one that goes on. */}}
{{- define "harmonic.probePod" -}}
{{- $root := .root -}}
{{- $values := $root.Values.probe -}}
serviceAccountName: {{ include "harmonic.name" $root }}-probe
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 15
{{- if .rounds }}
restartPolicy: Never
{{- end }}
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
      - --url={{ $values.url | default (printf "http://%s-gateway:%d" (include "harmonic.name" $root) (int $root.Values.gateway.service.port)) }}
      - --every={{ $values.everySeconds }}
      {{- if $values.tokensSecret }}
      - --tokens=/etc/harmonic/probe/tokens
      {{- else }}
      - --secret-file=/etc/harmonic/probe/jwt-secret
      {{- end }}
      {{- with .rounds }}
      - --rounds={{ . }}
      {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    ports:
      - {name: ops, containerPort: 9100}
    env:
      - {name: HARMONIC_OPS_HOST, value: "0.0.0.0"}
      - {name: HARMONIC_OPS_PORT, value: "9100"}
    readinessProbe:
      httpGet: {path: /readyz, port: ops}
    livenessProbe:
      httpGet: {path: /healthz, port: ops}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    volumeMounts:
      - {name: secret, mountPath: /etc/harmonic/probe, readOnly: true}
volumes:
  - name: secret
    secret:
      {{- if $values.tokensSecret }}
      secretName: {{ $values.tokensSecret }}
      defaultMode: 0440
      items:
        - {key: {{ $values.tokensKey }}, path: tokens}
      {{- else }}
      secretName: {{ $root.Values.gateway.secret.name }}
      defaultMode: 0440
      items:
        - {key: {{ $root.Values.gateway.secret.jwtSecretKey }}, path: jwt-secret}
      {{- end }}
{{- end }}
