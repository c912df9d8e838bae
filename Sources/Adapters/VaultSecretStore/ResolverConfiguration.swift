// SPDX-License-Identifier: Apache-2.0

/// resolv.conf(5): nameserver, search or domain, and options ndots, timeout, attempts.
struct ResolverConfiguration: Equatable {
    /// At most three, as the C library has it; the local host when none is named.
    var servers: [String] = []
    var searchDomains: [String] = []
    /// Names with at least this many dots are first tried as they are.
    var dotsMin = 1
    /// For one server in one attempt.
    var timeoutSeconds = 5
    var attempts = 2

    static let serversMax = 3
    static let searchDomainsMax = 32

    init(lines: [String]) {
        for line in lines {
            let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let keyword = words.first, !keyword.hasPrefix("#"), !keyword.hasPrefix(";")
            else { continue }
            let values = Array(words.dropFirst())
            switch keyword {
            case "nameserver":
                // A zone (`fe80::1%eth0`) cannot be told to inet_pton and is not supported.
                if let server = values.first, servers.count < Self.serversMax {
                    servers.append(server)
                }
            case "search": searchDomains = Array(values.prefix(Self.searchDomainsMax))
            case "domain": searchDomains = Array(values.prefix(1))
            case "options": for value in values { apply(option: value) }
            default: break
            }
        }
        if servers.isEmpty { servers = ["127.0.0.1"] }
    }

    private mutating func apply(option: String) {
        let parts = option.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let value = Int(parts[1]), value >= 0 else { return }
        switch parts[0] {
        case "ndots": dotsMin = min(value, 15)
        case "timeout": timeoutSeconds = min(max(value, 1), 30)
        case "attempts": attempts = min(max(value, 1), 5)
        default: break
        }
    }

    /// Full names to ask for, in order.
    func candidates(for host: String) -> [String] {
        if host.hasSuffix(".") { return [String(host.dropLast())] }
        let dots = host.utf8.count { $0 == UInt8(ascii: ".") }
        let searched = searchDomains.map { domain in
            let trimmed = domain.hasSuffix(".") ? String(domain.dropLast()) : domain
            return trimmed.isEmpty ? host : "\(host).\(trimmed)"
        }
        return dots >= dotsMin ? [host] + searched : searched + [host]
    }
}
