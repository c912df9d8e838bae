{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- /* Names are fixed: webhook, CRDs and CSI driver are there once in a cluster, so the chart is too. */ -}}

{{- define "cloudtaser.version" -}}
{{ .Values.kubernetesVersion | default .Capabilities.KubeVersion.Version }}
{{- end -}}

{{- /* Rules in CEL in a CRD: on by default from 1.25. */ -}}
{{- define "cloudtaser.hasRules" -}}
{{ if semverCompare ">=1.25-0" (include "cloudtaser.version" .) }}true{{ end }}
{{- end -}}

{{- /* ValidatingAdmissionPolicy: admissionregistration.k8s.io/v1 from 1.30. */ -}}
{{- define "cloudtaser.hasAdmissionPolicies" -}}
{{ if and .Values.admissionPolicies.enabled (semverCompare ">=1.30-0" (include "cloudtaser.version" .)) }}true{{ end }}
{{- end -}}

{{- /* (list . COMPONENT): what a selector may hold, the same in every version. */ -}}
{{- define "cloudtaser.selector" -}}
app.kubernetes.io/name: cloudtaser
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "cloudtaser.labels" -}}
{{ include "cloudtaser.selector" . }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
{{- end -}}

{{- /* (list . NAME DIGEST) */ -}}
{{- define "cloudtaser.image" -}}
{{- $root := index . 0 -}}
{{- $problem := "set image.registry to where your images are: none are published" -}}
{{- $registry := required $problem $root.Values.image.registry -}}
{{- if index . 2 -}}
{{ $registry }}/{{ index . 1 }}@{{ index . 2 }}
{{- else -}}
{{ $registry }}/{{ index . 1 }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* What pods have in common. */ -}}
{{- define "cloudtaser.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Pod Security "restricted", of a container and of its pod. The user is the image's. */ -}}
{{- define "cloudtaser.restrictedContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
{{- define "cloudtaser.restrictedPod" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}
