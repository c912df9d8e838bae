// SPDX-License-Identifier: Apache-2.0
@preconcurrency import Glibc

/// The file that the agent is started with, and the daemon that it sends its events to as well.
struct AgentReload: ~Copyable {
    static let configurationPath = "/tmp/agent.conf"
    static let syslogPath = "/tmp/syslog.sock"

    private let syslog: Int32

    init() {
        syslog = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Self.syslogPath.utf8) }
        unlink(Self.syslogPath)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(syslog, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        Self.configure("mode deny")
    }

    deinit {
        close(syslog)
        unlink(Self.syslogPath)
    }

    static let flags = [
        "--config", configurationPath, "--events", "stdout", "--events", "syslog:\(syslogPath)",
    ]

    static func configure(_ lines: String) {
        let file = open(configurationPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { return }
        defer { close(file) }
        let bytes = Array("# the VM test's\n\(lines)\n".utf8)
        _ = write(file, bytes, bytes.count)
    }

    /// The first message that fits, of those that wait or come within two seconds each.
    func message(where fits: (String) -> Bool) -> String? {
        for _ in 0..<1000 {
            var entry = pollfd(fd: syslog, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 2000) > 0 else { return nil }
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            let got = recv(syslog, &bytes, bytes.count, 0)
            guard got > 0 else { return nil }
            let text = String(decoding: bytes.prefix(got), as: UTF8.self)
            if fits(text) { return text }
        }
        return nil
    }
}
