// SPDX-License-Identifier: Apache-2.0

extension SimulatedVault {
    /// What a role of an engine that makes secrets makes.
    package struct DynamicRole: Sendable, Equatable {
        /// Of a lease, or of a certificate unless the request says less.
        package var secondsToLive: Int
        package var maxSecondsToLive: Int
        /// Whether what it makes comes with a lease; certificates only do when asked to.
        package var grantsLease: Bool
        package var isRenewable: Bool

        package init(
            secondsToLive: Int, maxSecondsToLive: Int, grantsLease: Bool = true,
            isRenewable: Bool = true
        ) {
            self.secondsToLive = secondsToLive
            self.maxSecondsToLive = maxSecondsToLive
            self.grantsLease = grantsLease
            self.isRenewable = isRenewable
        }
    }

    /// `<database>/creds/<role>`
    mutating func credentials(
        _ rest: String, of roles: [String: DynamicRole], path: String, token: String,
        in namespace: String
    ) throws(Refusal) -> Answer {
        guard rest.hasPrefix("creds/") else { throw .nothingThere }
        let name = String(rest.dropFirst("creds/".count))
        guard let role = roles[name] else { throw .roleUnknown(name) }
        let lease = grantLease(
            path: path, token: token, namespace: namespace, secondsToLive: role.secondsToLive,
            maxSecondsToLive: role.maxSecondsToLive, isRenewable: role.isRenewable)
        let password = issue(.password)
        return Answer(
            data: .object([
                ("password", .string(password)),
                ("username", .string("v-\(name)-\(leases.count)")),
            ]), lease: role.grantsLease ? lease : nil)
    }

    /// `<pki>/issue/<role>`
    mutating func certificate(
        _ rest: String, of roles: [String: DynamicRole], parameters: (String) -> String?,
        path: String, token: String, in namespace: String
    ) throws(Refusal) -> Answer {
        guard rest.hasPrefix("issue/") else { throw .nothingThere }
        let name = String(rest.dropFirst("issue/".count))
        guard let role = roles[name] else { throw .roleUnknown(name) }
        guard let subject = parameters("common_name") else {
            throw .badRequest("the common_name field is required")
        }
        var lifetime = role.secondsToLive
        if let wanted = parameters("ttl") {
            guard let seconds = Self.seconds(wanted) else {
                throw .badRequest("error converting input for field \"ttl\"")
            }
            lifetime = seconds
        }
        lifetime = min(lifetime, role.maxSecondsToLive)
        let lease =
            role.grantsLease
            ? grantLease(
                path: path, token: token, namespace: namespace, secondsToLive: lifetime,
                maxSecondsToLive: lifetime, isRenewable: false) : nil
        let key = issue(.privateKey)
        let end = secondsSince1970 + Int64(lifetime)
        let issuer = Self.pem("CERTIFICATE", "the simulated authority")
        return Answer(
            data: .object([
                ("ca_chain", .array([.string(issuer)])),
                ("certificate", .string(Self.pem("CERTIFICATE", "\(subject) until \(end)"))),
                ("expiration", .number(String(end))), ("issuing_ca", .string(issuer)),
                ("private_key", .string(Self.pem("PRIVATE KEY", key))),
                ("private_key_type", .string("ec")),
                ("serial_number", .string("00:\(issued.count)")),
            ]), lease: lease)
    }

    /// No certificate that anybody could read: the text itself between the usual lines.
    private static func pem(_ label: String, _ text: String) -> String {
        "-----BEGIN \(label)-----\n\(text)\n-----END \(label)-----"
    }

    /// `90`, `90s`, `15m`, `2h`; nil: something else.
    private static func seconds(_ text: String) -> Int? {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
        guard let last = text.last, let unit = units[last] else { return Int(text) }
        return Int(text.dropLast()).map { $0 * unit }
    }
}
