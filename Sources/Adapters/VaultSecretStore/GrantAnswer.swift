// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat
internal import Ports

/// Reads from an answer how long something lasts. Durations are whole seconds.
enum GrantAnswer {
    /// Of a login or of a token's renewal: `auth.lease_duration`, 0 for a token without an end.
    static func token(in body: RawSpan, path: String) throws(SecretStoreFailure) -> Grant {
        let found = try parsing(path) { () throws(JSONFormatFailure) in
            let root = try JSONFormat.check(body)
            return (
                try number(["auth", "lease_duration"], from: root, in: body),
                try flag(["auth", "renewable"], from: root, in: body)
            )
        }
        guard let seconds = found.0, seconds >= 0 else {
            throw .responseMalformed(path: path, detail: "no auth.lease_duration")
        }
        return Grant(lifetime: seconds == 0 ? nil : .seconds(seconds), isRenewable: found.1)
    }

    /// Of `auth/token/lookup-self`: `data.ttl` and, for a token that never ends,
    /// `data.expire_time` null.
    static func lookUp(in body: RawSpan, path: String) throws(SecretStoreFailure) -> Grant {
        let found = try parsing(path) { () throws(JSONFormatFailure) in
            let root = try JSONFormat.check(body)
            let end = try JSONFormat.value(at: ["data", "expire_time"], from: root, in: body)
            return (
                try number(["data", "ttl"], from: root, in: body), end?.kind == .string,
                try flag(["data", "renewable"], from: root, in: body)
            )
        }
        guard let seconds = found.0, seconds >= 0 else {
            throw .responseMalformed(path: path, detail: "no data.ttl")
        }
        let isEndless = seconds == 0 && !found.1
        return Grant(lifetime: isEndless ? nil : .seconds(seconds), isRenewable: found.2)
    }

    /// The envelope's own lease; nil when it has none.
    static func lease(in body: RawSpan, path: String) throws(SecretStoreFailure) -> Lease? {
        let found = try parsing(path) { () throws(JSONFormatFailure) in
            let root = try JSONFormat.check(body)
            let id = try JSONFormat.value(at: ["lease_id"], from: root, in: body)
            return (
                try id.flatMap { value throws(JSONFormatFailure) in
                    try JSONText.publicText(value, in: body)
                },
                try number(["lease_duration"], from: root, in: body),
                try flag(["renewable"], from: root, in: body)
            )
        }
        guard let id = found.0, !id.isEmpty else { return nil }
        let lifetime = found.1.map { Duration.seconds(max(0, $0)) }
        return Lease(
            id: LeaseID(id), grant: Grant(lifetime: lifetime ?? .zero, isRenewable: found.2))
    }

    /// A whole number at `names`; nil when there is none.
    static func number(
        _ names: [String], from root: JSONValue, in body: RawSpan
    ) throws(JSONFormatFailure) -> Int64? {
        guard let value = try JSONFormat.value(at: names, from: root, in: body),
            value.kind == .number, value.range.count <= 20
        else { return nil }
        var text = ""
        for offset in value.range {
            text.unicodeScalars.append(
                Unicode.Scalar(body.unsafeLoad(fromByteOffset: offset, as: UInt8.self)))
        }
        return Int64(text)
    }

    private static func flag(
        _ names: [String], from root: JSONValue, in body: RawSpan
    ) throws(JSONFormatFailure) -> Bool {
        let value = try JSONFormat.value(at: names, from: root, in: body)
        return value?.kind == .bool && value?.range.count == "true".utf8.count
    }
}
