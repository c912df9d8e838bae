{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- /* A status of conditions (KEP-1623), with what is given as further properties. */ -}}
{{- define "cloudtaser.status" -}}
type: object
properties:
  observedGeneration: {type: integer, format: int64, minimum: 0}
  conditions:
    type: array
    maxItems: 16
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [type]
    items:
      type: object
      required: [type, status, reason, message, lastTransitionTime]
      properties:
        type: {type: string, maxLength: 316, pattern: "^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$"}
        status: {type: string, enum: ["True", "False", Unknown]}
        reason: {type: string, minLength: 1, maxLength: 1024, pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"}
        message: {type: string, maxLength: 32768}
        lastTransitionTime: {type: string, format: date-time}
        observedGeneration: {type: integer, format: int64, minimum: 0}
{{- end -}}
