// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization

/// A Unix socket in a folder of its own, and a thread that serves one connection with a script.
final class FakeAgent: Sendable {
    let path: String
    private let listener: Int32
    private let folder: String
    private let heard = Mutex<[UInt8]>([])

    /// The first that was read of what came.
    var requestBytes: [UInt8] { heard.withLock { $0 } }
    var request: String { heard.withLock { String(decoding: $0, as: UTF8.self) } }

    /// - Parameters:
    ///   - backlog: connections that wait to be accepted.
    ///   - script: gets each connection once its request has come; nil: nobody accepts.
    ///   - requestBytes: how much of a request is read before the script.
    init(
        backlog: Int32 = 8, reading requestBytes: Int = 1, script: (@Sendable (Int32) -> Void)?
    ) throws {
        var template = Array("/tmp/agent-client-XXXXXX".utf8CString)
        folder = String(cString: mkdtemp(&template))
        path = folder + "/agent.sock"
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard Self.bind(listener, path) == 0, listen(listener, backlog) == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
        guard let script else { return }
        Thread.detachNewThread { [self] in
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { return }
            var heard: [UInt8] = []
            while heard.count < requestBytes {
                var bytes = [UInt8](repeating: 0, count: 512)
                let count = read(connection, &bytes, bytes.count)
                guard count > 0 else { break }
                heard += bytes.prefix(count)
            }
            self.heard.withLock { $0 = heard }
            script(connection)
            close(connection)
        }
    }

    /// Nobody listens any more; the file stays.
    func stopListening() { shutdown(listener, Int32(SHUT_RDWR)) }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        unlink(path)
        rmdir(folder)
    }

    /// An agent that says one text and leaves.
    static func saying(_ text: String) throws -> FakeAgent {
        try FakeAgent { FakeAgent.say(text, $0) }
    }

    static func say(_ text: String, _ connection: Int32) {
        let bytes = Array(text.utf8)
        _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    static func bind(_ descriptor: Int32, _ path: String) -> Int32 {
        withAddress(path) { Glibc.bind(descriptor, $0, $1) }
    }

    /// Fills the backlog of a listener that accepts nobody.
    static func fill(_ path: String, _ count: Int) -> [Int32] {
        (0..<count).map { _ in
            let made = socket(
                AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            _ = withAddress(path) { connect(made, $0, $1) }
            return made
        }
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
