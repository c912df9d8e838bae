// SPDX-License-Identifier: Apache-2.0
import Foundation
import ObjectServer
import ObjectServerPorts
import S3Proxy
import SecretMemory
import ServedHTTP
import ServerProcess
import VaultCustody

/// Answers on the health port, in plain text and without secrets.
struct HealthPage: RequestHandler {
    let proxy: Proxy
    let vault: VaultAccess
    let server: ObjectServer
    /// nil: without TLS.
    let identity: TLSIdentity?
    let stopping: StopFlag

    func handle(
        _ request: ServedRequest, body: any RequestBody, response: any ResponseWriter
    ) async {
        let (status, text) = answer(request)
        let bytes = Array(text.utf8)
        let head = ResponseHead(
            status: status,
            fields: [
                HeaderField("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),
                HeaderField("Content-Length", String(bytes.count)),
            ])
        // Who asked has gone when this fails.
        try? await send(head, bytes, response)
    }

    private func send(
        _ head: ResponseHead, _ bytes: [UInt8], _ response: any ResponseWriter
    ) async throws(StreamFailure) {
        try await response.head(head)
        try await response.write(bytes)
        try await response.end(trailers: [])
    }

    private func answer(_ request: ServedRequest) -> (Int, String) {
        guard ["GET", "HEAD"].contains(request.head.method) else {
            return (405, "only GET and HEAD\n")
        }
        switch String(decoding: request.head.pathAndQuery, as: UTF8.self) {
        case "/healthz": return (200, "ok\n")
        case "/readyz": return readiness
        case "/metrics": return (200, metrics)
        default: return (404, "/healthz, /readyz or /metrics\n")
        }
    }

    private var readiness: (Int, String) {
        guard !stopping.isSet else { return (503, "stopping\n") }
        let missing = vault.missing
        guard missing.isEmpty else {
            return (503, "not had yet: \(missing.joined(separator: ", "))\n")
        }
        return (200, "ready\n")
    }

    private var metrics: String {
        let memory = vault.arena.statistics
        var text = ""
        func gauge(_ name: String, _ help: String, _ value: Int) {
            let name = "cloudtaser_s3_proxy_\(name)"
            text += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n\(name) \(value)\n"
        }
        gauge("ready", "Whether requests can be served (1).", readiness.0 == 200 ? 1 : 0)
        gauge("connections", "Connections of clients.", server.connectionCount)
        gauge("buffered_bytes", "That came or go and are not taken yet.", server.bufferedBytes)
        gauge("clients", "Access keys that clients may sign with.", vault.credentials.clientCount)
        gauge("vault_calls_waiting", "Calls that wait for the vault.", vault.waitingCount)
        gauge("key_memory_bytes", "Secret memory for keys.", memory.capacityBytes)
        gauge("key_memory_used_bytes", "Of it, in use.", memory.liveBytes)
        if let age = vault.credentialsAge {
            gauge(
                "credentials_age_seconds", "Since clients were last read.",
                Int(age.components.seconds))
        }
        if let validUntil = identity?.validUntil {
            let name = "cloudtaser_s3_certificate_expiration_timestamp_seconds"
            text += "# HELP \(name) When the certificate that is served expires, in seconds since "
            text += "1970.\n# TYPE \(name) gauge\n\(name) \(validUntil)\n"
        }
        if let bytes = Self.residentBytes {
            let name = "process_resident_memory_bytes"
            text += "# HELP \(name) Resident memory size in bytes.\n# TYPE \(name) gauge\n"
            text += "\(name) \(bytes)\n"
        }
        return text + proxy.metricsPage
    }

    private static var residentBytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .ascii),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
