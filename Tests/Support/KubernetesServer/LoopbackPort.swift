// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Ports of 127.0.0.1 for servers that cannot be told to take any.
package enum LoopbackPort {
    /// Different ports that were free a moment ago.
    package static func free(_ count: Int) throws -> [UInt16] {
        var open: [Int32] = []
        defer { for descriptor in open { close(descriptor) } }
        var ports: [UInt16] = []
        for _ in 0..<count {
            // Held until all are found, so that no port comes twice.
            let (descriptor, port) = try bound()
            open.append(descriptor)
            ports.append(port)
        }
        return ports
    }

    package static func connects(to port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        return withAddress(port: port) { connect(descriptor, $0, $1) == 0 }
    }

    /// Sends text, and returns everything that comes back until the other side closes.
    static func exchange(_ text: String, with port: UInt16) throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        let request = Array(text.utf8)
        guard withAddress(port: port, { connect(descriptor, $0, $1) }) == 0,
            send(descriptor, request, request.count, Int32(MSG_NOSIGNAL))
                == request.count
        else { throw KubernetesServerFailure(command: "connect", output: "port \(port)") }
        var answer: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(descriptor, &part, part.count, 0), count > 0 {
            answer += part[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
    }

    private static func bound() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let port = withAddress(port: 0) { address, length -> UInt16? in
            var length = length
            guard bind(descriptor, address, length) == 0,
                getsockname(descriptor, address, &length) == 0
            else { return nil }
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
        guard let port else {
            close(descriptor)
            throw KubernetesServerFailure(command: "bind", output: "no free port")
        }
        return (descriptor, port)
    }

    private static func withAddress<Result>(
        port: UInt16, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
