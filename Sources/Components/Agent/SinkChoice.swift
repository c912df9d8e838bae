// SPDX-License-Identifier: Apache-2.0

/// Where events go.
package enum SinkChoice: Sendable, Equatable {
    case standardOutput
    case file(String)
    /// A Unix datagram socket.
    case syslogSocket(String)
    case syslog(SinkPlace, isStream: Bool)
    case otlp(SinkPlace, path: String)

    /// The forms that `init` reads, for messages.
    package static let forms =
        "stdout, file:/PATH, syslog:/PATH, syslog:udp://ADDRESS:PORT, syslog:tcp://ADDRESS:PORT "
        + "or otlp:http://ADDRESS:PORT/v1/logs"

    /// Reads one of `forms`; nil for anything else. Whether an address is one, its sink knows.
    package init?(_ text: String) {
        guard text != "stdout" else {
            self = .standardOutput
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        switch (parts[0], parts[1]) {
        case ("file", let path) where path.hasPrefix("/"): self = .file(path)
        case ("syslog", let path) where path.hasPrefix("/"): self = .syslogSocket(path)
        case ("syslog", let place) where place.hasPrefix("udp://"):
            guard let place = SinkPlace(place.dropFirst("udp://".count)) else { return nil }
            self = .syslog(place, isStream: false)
        case ("syslog", let place) where place.hasPrefix("tcp://"):
            guard let place = SinkPlace(place.dropFirst("tcp://".count)) else { return nil }
            self = .syslog(place, isStream: true)
        case ("otlp", let address) where address.hasPrefix("http://"):
            let rest = address.dropFirst("http://".count)
            let host = rest.prefix { $0 != "/" }
            guard let place = SinkPlace(host), host.endIndex < rest.endIndex else { return nil }
            self = .otlp(place, path: String(rest[host.endIndex...]))
        default: return nil
        }
    }
}

extension SinkChoice {
    /// A name for each, in metrics and losses: two of a kind are told apart by their number.
    package static func names(of choices: [SinkChoice]) -> [String] {
        var seen: [String: Int] = [:]
        return choices.map { choice in
            let count = seen[choice.kind, default: 0] + 1
            seen[choice.kind] = count
            return count == 1 ? choice.kind : "\(choice.kind)-\(count)"
        }
    }

    private var kind: String {
        switch self {
        case .standardOutput: "stdout"
        case .file: "file"
        case .syslogSocket, .syslog: "syslog"
        case .otlp: "otlp"
        }
    }
}

/// A numeric address or `localhost`, and a port.
package struct SinkPlace: Sendable, Equatable {
    /// Without brackets.
    package let host: String
    package let port: UInt16

    /// Reads `127.0.0.1:514`, `[::1]:514`; nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]), port > 0,
            String(port) == text[text.index(after: colon)...]
        else { return nil }
        var host = String(text[..<colon])
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = String(host.dropFirst().dropLast()) }
        // A colon outside of brackets could be the port's or the address's.
        guard !host.isEmpty, isBracketed || !host.contains(":") else { return nil }
        self.host = host
        self.port = port
    }
}
