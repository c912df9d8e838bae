// SPDX-License-Identifier: Apache-2.0
import Delivery
import SecretMemory
import WrapperConfiguration

/// What the harness is to do, from `key=value` arguments. None of them is secret.
struct Options {
    /// Port of the listener on 127.0.0.1.
    var port: UInt16 = 0
    /// PEM of the authority that the listener's certificate comes from.
    var authority = ""
    /// token, approle, wrapped (an AppRole's secret id), kubernetes or jwt.
    var method = "token"
    var role = ""
    /// File with the token, secret id or JWT.
    var credential = ""
    /// PEM files for a listener that asks for a client certificate.
    var clientCertificate: String?
    var clientKey: String?
    var path = ""
    var field = ""
    /// RLIMIT_MEMLOCK, soft and hard (bytes); nil: as it is.
    var lockBytes: UInt64?
    var minimumTier = MemoryTier.locked
    /// The control: also keep the value as a careless program would, as a Swift string.
    var isCareless = false
    /// Name and masked file of each needle.
    var needles: [(name: String, file: String)] = []

    init(_ arguments: ArraySlice<String>) throws(HarnessFailure) {
        for argument in arguments {
            let parts = argument.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, set(String(parts[0]), String(parts[1])) else {
                throw HarnessFailure(what: "argument", detail: argument)
            }
        }
    }

    private mutating func set(_ key: String, _ value: String) -> Bool {
        switch key {
        case "port": port = UInt16(value) ?? 0
        case "authority": authority = value
        case "method": method = value
        case "role": role = value
        case "credential": credential = value
        case "client-certificate": clientCertificate = value
        case "client-key": clientKey = value
        case "path": path = value
        case "field": field = value
        case "lock": lockBytes = UInt64(value)
        case "careless": isCareless = value == "yes"
        case "tier":
            guard let tier = MemoryTier(name: value) else { return false }
            minimumTier = tier
        case "needle":
            let parts = value.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return false }
            needles.append((String(parts[0]), String(parts[1])))
        default: return false
        }
        return true
    }

    /// What VaultSecretStore is given.
    var settings: VaultSettings {
        let auth: AuthMethod =
            switch method {
            case "approle", "wrapped": .appRole(roleID: role, secretIDFile: credential)
            case "kubernetes": .kubernetes(role: role, tokenFile: credential)
            case "jwt": .jwt(role: role, tokenFile: credential)
            default: .token(file: credential)
            }
        var settings = VaultSettings(
            origin: Origin(scheme: "https", host: "127.0.0.1", port: port), auth: auth)
        settings.isSecretIDWrapped = method == "wrapped"
        settings.trustAnchorsFile = authority
        settings.clientCertificateFile = clientCertificate
        settings.clientKeyFile = clientKey
        settings.minimumTier =
            switch minimumTier {
            case .secret: .secret
            case .locked: .locked
            case .ordinary: .ordinary
            }
        return settings
    }
}

/// Something about the harness itself went wrong; the fetch's own failures are reported.
struct HarnessFailure: Error {
    let what: String
    let detail: String
}
