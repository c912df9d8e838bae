{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- /* What the S3 proxy is told, and what it cannot do without. */ -}}

{{- /* Ends the rendering with everything that is missing: one complaint at a time is one run at a time. */ -}}
{{- define "cloudtaser.s3ProxyNeeds" -}}
{{- $proxy := .Values.s3Proxy -}}
{{- $missing := list -}}
{{- range list
    (list $proxy.upstream.endpoint "upstream.endpoint" "https://s3.eu-central-1.amazonaws.com")
    (list $proxy.upstream.credentialsPath "upstream.credentialsPath" "secret/s3/upstream")
    (list $proxy.clients.path "clients.path" "secret/s3/clients")
    (list $proxy.vault.address "vault.address" "https://vault.example.eu:8200")
    (list $proxy.vault.role "vault.role" "s3-proxy")
    (list $proxy.vault.audience "vault.audience" "vault")
    (list $proxy.keys.transitKey "keys.transitKey" "s3-objects") -}}
{{- if not (index . 0) -}}
{{- $missing = append $missing (printf "s3Proxy.%s (like %s)" (index . 1) (index . 2)) -}}
{{- end -}}
{{- end -}}
{{- $ways := list -}}
{{- if $proxy.tls.secretName -}}{{- $ways = append $ways "secretName" -}}{{- end -}}
{{- if $proxy.tls.csi -}}{{- $ways = append $ways "csi" -}}{{- end -}}
{{- if $proxy.tls.plainHTTP -}}{{- $ways = append $ways "plainHTTP" -}}{{- end -}}
{{- if not $ways -}}
{{- $missing = append $missing "s3Proxy.tls.secretName (or tls.csi, or tls.plainHTTP where somebody else ends TLS)" -}}
{{- end -}}
{{- if $missing -}}
{{- fail (printf "s3Proxy.enabled is true and this is not set: %s" (join ", " $missing)) -}}
{{- end -}}
{{- if gt (len $ways) 1 -}}
{{- fail (printf "s3Proxy.tls has %s: keep one of them" (join " and " $ways)) -}}
{{- end -}}
{{- if and (hasPrefix "http://" (lower $proxy.upstream.endpoint)) (not $proxy.upstream.allowPlainHTTP) -}}
{{- fail "s3Proxy.upstream.endpoint is plain http: write https://, or set s3Proxy.upstream.allowPlainHTTP knowingly" -}}
{{- end -}}
{{- end -}}

{{- /* A setting on each line, NAME VALUE. The schema lets no value have a line's end. */ -}}
{{- define "cloudtaser.s3ProxySettings" -}}
{{- $proxy := .Values.s3Proxy -}}
listen 0.0.0.0:8443
health-listen 0.0.0.0:8081
{{- if $proxy.tls.plainHTTP }}
plain-http true
{{- else }}
tls-certificate /tls/tls.crt
tls-key /tls/tls.key
{{- end }}
upstream-endpoint {{ $proxy.upstream.endpoint }}
{{- if $proxy.upstream.allowPlainHTTP }}
allow-plain-http-upstream true
{{- end }}
upstream-region {{ $proxy.upstream.region }}
upstream-style {{ $proxy.upstream.style }}
upstream-dialect {{ $proxy.upstream.dialect }}
{{- if $proxy.upstream.authorities }}
upstream-ca /authorities/upstream/ca.crt
{{- end }}
upstream-credentials-path {{ $proxy.upstream.credentialsPath }}
clients-path {{ $proxy.clients.path }}
{{- with $proxy.clients.region }}
region {{ . }}
{{- end }}
{{- range $proxy.clients.domains }}
domain {{ . }}
{{- end }}
credentials-seconds {{ int64 $proxy.credentialsSeconds }}
vault-address {{ $proxy.vault.address }}
{{- if $proxy.vault.authorities }}
vault-ca /authorities/vault/ca.crt
{{- end }}
{{- with $proxy.vault.namespace }}
vault-namespace {{ . }}
{{- end }}
vault-auth-method {{ $proxy.vault.method }}
{{- with $proxy.vault.mount }}
vault-auth-mount {{ . }}
{{- end }}
vault-role {{ $proxy.vault.role }}
vault-jwt-file /vault/token
{{- with $proxy.vault.allowedOrigins }}
vault-allowed-origins {{ join "," . }}
{{- end }}
vault-threads {{ int64 $proxy.vault.threads }}
vault-seconds {{ int64 $proxy.vault.seconds }}
transit-mount {{ $proxy.keys.transitMount }}
transit-key {{ $proxy.keys.transitKey }}
tenant {{ $proxy.keys.tenant }}
mode {{ $proxy.keys.mode }}
{{- if eq $proxy.keys.mode "epoch" }}
epoch-hours {{ int64 $proxy.keys.epochHours }}
{{- end }}
key-confirm-seconds {{ int64 $proxy.keys.confirmSeconds }}
key-cache-seconds {{ int64 $proxy.keys.cacheSeconds }}
key-cache-entries {{ int64 $proxy.keys.cacheEntries }}
minimum-tier {{ $proxy.keys.minimumTier }}
{{- range $proxy.passThrough }}
pass-through {{ . }}
{{- end }}
requests-max {{ int64 $proxy.requestsMax }}
object-bytes-max {{ int64 $proxy.objectBytesMax }}
drain-seconds {{ int64 $proxy.drainSeconds }}
log-level {{ $proxy.logLevel }}
{{ end -}}
