// SPDX-License-Identifier: Apache-2.0
@preconcurrency import Glibc
package import LoopbackPKI
package import Simulation
import Synchronization

/// What the wire does to an answer that the simulated vault gave.
package enum TransportFault: Sendable, Equatable {
    case none
    /// Speaks nothing newer than TLS 1.1.
    case onlyTLS11
    /// Announces the whole body, sends half of it, and closes without close_notify.
    case truncatedBody
    /// As `truncatedBody`, but ends the TLS stream properly.
    case shortBody
    /// Answers reads of secrets with a body of this many bytes.
    case hugeBody(bytes: Int)
    /// Takes the request and never answers.
    case silent
    /// Frames the body in chunks of this many bytes.
    case chunked(bytes: Int)
    /// Never pauses: chunks of one byte with long extensions, until the client closes.
    case endless
    /// Closes the connection after each answer.
    case closing
    /// Answers each request after this time.
    case slow(milliseconds: UInt32)
}

/// Why a listener could not start.
package struct VaultListenerFailure: Error {
    package let call: String
    package let errorNumber: Int32
}

/// A real TLS listener on a loopback port that serves a SimulatedVault, one thread for each
/// connection. For tests, the demo and the guest of the VM tests: no Foundation, no Dispatch.
package final class VaultListener: Sendable {
    /// How to listen.
    package struct Options: Sendable {
        package var identity: Identity
        /// PEM of the authority that client certificates must come from; nil: none is asked for.
        package var clientAuthorityPEM: String?
        /// Otherwise a client may come without one, and one of another authority counts as none.
        package var isClientCertificateRequired = true
        package var fault = TransportFault.none
        /// IPv4 only; 0 takes a free port.
        package var port: UInt16 = 0
        /// The vault's time passes as the clock does, and its wall clock is the real one.
        package var followsClock = false

        package init(identity: Identity) { self.identity = identity }
    }

    private struct State {
        var vault: SimulatedVault
        var fault: TransportFault
        var isStopping = false
        /// Descriptors of the open connections.
        var connections: Set<Int32> = []
        var threads: [pthread_t] = []
        var handshakes = 0
        /// When the vault's time began to follow the clock; nil: it stands still.
        var startedAt: ContinuousClock.Instant?

        mutating func moveTime() {
            guard let startedAt else { return }
            // Whole seconds of what has passed: a difference of whole seconds may be one ahead.
            let elapsed = Int(startedAt.duration(to: .now).components.seconds)
            vault.advance(seconds: max(0, elapsed - vault.now))
        }
    }

    package let port: UInt16
    private let descriptor: Int32
    private let context: TLSServerContext
    private let state: Mutex<State>

    /// Listens at once; the vault's state can be changed later by `withVault`.
    package init(vault: SimulatedVault, options: Options) throws {
        context = try TLSServerContext(
            identity: options.identity, clientAuthorityPEM: options.clientAuthorityPEM,
            isClientCertificateRequired: options.isClientCertificateRequired,
            onlyTLS11: options.fault == .onlyTLS11)
        (descriptor, port) = try Self.listen(port: options.port)
        var initial = State(vault: vault, fault: options.fault)
        if options.followsClock {
            // In this order: it may be behind, and is never ahead.
            initial.vault.startedAt = Int64(time(nil)) - Int64(vault.now)
            initial.startedAt = .now - .seconds(vault.now)
        }
        state = Mutex(initial)
        try startThread { listener in listener.acceptLoop() }
    }

    /// `https://127.0.0.1:PORT`
    package var address: String { "https://127.0.0.1:\(port)" }

    /// Reads or changes the vault behind the listener.
    package func withVault<Result: Sendable>(
        _ body: (inout SimulatedVault) -> Result
    ) -> Result {
        state.withLock { state in
            state.moveTime()
            return body(&state.vault)
        }
    }

    /// What the wire does from the next request on. `onlyTLS11` only counts at the start.
    package func setFault(_ fault: TransportFault) { state.withLock { $0.fault = fault } }

    /// Completed TLS handshakes so far.
    package var handshakes: Int { state.withLock { $0.handshakes } }

    /// Closes the connections there are, as a server does with idle ones; waits until they are.
    package func closeConnections() {
        let open = state.withLock { state in
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
            return state.connections
        }
        while state.withLock({ !$0.connections.isDisjoint(with: open) }) { usleep(1000) }
    }

    /// Closes every connection and waits for the threads. Idempotent.
    package func stop() {
        let threads = state.withLock { state in
            state.isStopping = true
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
            defer { state.threads = [] }
            return state.threads
        }
        guard !threads.isEmpty else { return }
        shutdown(descriptor, Int32(SHUT_RDWR))
        for thread in threads { pthread_join(thread, nil) }
        // A connection accepted while stopping has started a thread after the list was taken.
        let late = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in late { pthread_join(thread, nil) }
        close(descriptor)
    }

    // MARK: - Threads

    private func acceptLoop() {
        while true {
            let connection = accept(descriptor, nil, nil)
            guard connection >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            let isAccepted = state.withLock { state in
                guard !state.isStopping else { return false }
                state.connections.insert(connection)
                return true
            }
            guard isAccepted else {
                close(connection)
                return
            }
            do {
                try startThread { listener in
                    listener.serve(connection)
                    listener.state.withLock { _ = $0.connections.remove(connection) }
                    close(connection)
                }
            } catch {
                state.withLock { _ = $0.connections.remove(connection) }
                close(connection)
            }
        }
    }

    private final class ThreadBody {
        let listener: VaultListener
        let body: @Sendable (VaultListener) -> Void
        init(_ listener: VaultListener, _ body: @escaping @Sendable (VaultListener) -> Void) {
            self.listener = listener
            self.body = body
        }
    }

    private func startThread(_ body: @escaping @Sendable (VaultListener) -> Void) throws {
        let argument = Unmanaged.passRetained(ThreadBody(self, body)).toOpaque()
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
                VaultListener.blockBrokenPipe()
                body.body(body.listener)
                return nil
            }, argument)
        guard result == 0 else {
            Unmanaged<ThreadBody>.fromOpaque(argument).release()
            throw VaultListenerFailure(call: "pthread_create", errorNumber: result)
        }
        state.withLock { $0.threads.append(thread) }
    }

    /// OpenSSL writes with write(2): a client that went away must not kill the process.
    private static func blockBrokenPipe() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    // MARK: - One connection

    private func serve(_ descriptor: Int32) {
        // As vaults do: session tickets and the first answer are separate small writes.
        var yes: Int32 = 1
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes,
            socklen_t(MemoryLayout<Int32>.size))
        guard let stream = TLSServerStream(context: context, descriptor: descriptor) else {
            return
        }
        state.withLock { $0.handshakes += 1 }
        var reader = HTTPRequestReader()
        while var request = reader.next(from: stream) {
            request.clientName = stream.clientName
            let (response, fault) = state.withLock { state in
                state.moveTime()
                return (state.vault.respond(to: request), state.fault)
            }
            guard send(response, to: request, fault: fault, over: stream) else { return }
        }
        stream.finish()
    }

    /// Returns whether the connection goes on.
    private func send(
        _ answer: SimulatedVault.Response, to request: SimulatedVault.Request,
        fault: TransportFault, over stream: TLSServerStream
    ) -> Bool {
        var response = answer
        switch fault {
        case .silent:
            stream.waitForPeerToClose()
            return false
        case .hugeBody(let bytes):
            if response.status == 200, !request.path.contains("/sys/") {
                response.body = Self.paddedObject(bytes: bytes)
            }
            return stream.write(HTTPResponseWriter.whole(response, closing: false))
        case .truncatedBody, .shortBody:
            let whole = HTTPResponseWriter.whole(response, closing: false)
            _ = stream.write(Array(whole.dropLast(response.body.count / 2 + 1)))
            if fault == .shortBody { stream.finish() }
            return false
        case .chunked(let bytes):
            return stream.write(HTTPResponseWriter.chunked(response, chunkBytes: bytes))
        case .endless:
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            let chunk = "1;\(String(repeating: "e", count: 250))\r\nx\r\n"
            let chunks = Array(String(repeating: chunk, count: 60).utf8)
            var goesOn = stream.write(Array(head.utf8))
            while goesOn { goesOn = stream.write(chunks) }
            return false
        case .closing:
            _ = stream.write(HTTPResponseWriter.whole(response, closing: true))
            stream.finish()
            return false
        case .slow(let milliseconds):
            usleep(milliseconds * 1000)
            return stream.write(HTTPResponseWriter.whole(response, closing: false))
        case .none, .onlyTLS11:
            return stream.write(HTTPResponseWriter.whole(response, closing: false))
        }
    }

    /// A JSON object of exactly `bytes` bytes.
    private static func paddedObject(bytes: Int) -> [UInt8] {
        let frame = Array("{\"padding\":\"\"}".utf8)
        var body = Array(frame.dropLast(2))
        body.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: bytes - frame.count))
        body.append(contentsOf: frame.suffix(2))
        return body
    }

    private static func listen(port: UInt16) throws -> (Int32, UInt16) {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            throw VaultListenerFailure(call: "socket", errorNumber: errno)
        }
        var yes: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int32 in
                guard bind(descriptor, generic, length) == 0 else { return errno }
                guard Glibc.listen(descriptor, 64) == 0 else { return errno }
                return getsockname(descriptor, generic, &length) == 0 ? 0 : errno
            }
        }
        guard result == 0 else {
            close(descriptor)
            throw VaultListenerFailure(call: "bind", errorNumber: result)
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }
}
