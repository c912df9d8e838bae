// SPDX-License-Identifier: Apache-2.0
import Glibc
internal import HTTPFormat
internal import Ports
internal import SecretMemory
internal import WrapperConfiguration

/// Sends one request after another over a kept connection and holds the last answer in secret
/// memory.
final class VaultTransport {
    /// A value of 1 MiB with every second byte escaped, and the envelope around it, still fit.
    static let bodyBytesMax = (2 << 20) + (64 << 10)
    /// Redirects followed in one exchange.
    static let redirectsMax = 3
    /// First size of the answer's buffer (bytes); it grows with what is announced.
    private static let answerBytesMin = 4000

    let settings: VaultSettings
    private let limits = HTTPLimits(bodyBytesMax: VaultTransport.bodyBytesMax)
    private let memory: ExchangeMemory
    private let resolver: NameResolver
    private let context: TLSContext
    private let interruptDescriptor: Int32
    /// Of the call that is going on.
    private var deadline: Deadline
    private var connection: TLSConnection?
    private var answer: SecretBuffer

    init(
        settings: VaultSettings, resolver: NameResolver, memory: ExchangeMemory,
        interruptDescriptor: Int32
    ) throws(SecretStoreFailure) {
        self.interruptDescriptor = interruptDescriptor
        deadline = Deadline(secondsFromNow: 0)
        self.settings = settings
        self.resolver = resolver
        self.memory = memory
        context = try TLSContext(settings: settings, memory: memory)
        answer = try memory.buffer(capacity: Self.answerBytesMin)
    }

    /// Starts the time that all exchanges of one call share.
    func beginCall() {
        deadline = Deadline(
            secondsFromNow: settings.requestSecondsMax, interruptDescriptor: interruptDescriptor)
    }

    /// Sends what `build` makes for an origin and a path, follows allowed redirects, and reads
    /// the whole answer.
    ///
    /// - Parameters:
    ///   - path: with `/v1/`.
    ///   - build: the request's bytes; called again for each redirect.
    func perform(
        path: String,
        build: (_ origin: Origin, _ path: String) throws(SecretStoreFailure) -> SecretBuffer
    ) throws(SecretStoreFailure) -> HTTPResponse {
        var origin = settings.origin
        var target = settings.pathPrefix + path
        for _ in 0...Self.redirectsMax {
            let request = try build(origin, target)
            let response: HTTPResponse
            do throws(SecretStoreFailure) {
                response = try exchange(request, with: origin, path: path)
            } catch {
                connection = nil
                throw error
            }
            if !response.isPersistent { connection = nil }
            guard [301, 302, 303, 307, 308].contains(response.status) else { return response }
            (origin, target) = try redirection(response, from: origin, path: path)
        }
        throw .responseMalformed(path: path, detail: "more than \(Self.redirectsMax) redirects")
    }

    /// The last answer's body.
    func withBody<Result: ~Copyable>(
        of response: HTTPResponse,
        _ body: (RawSpan) throws(SecretStoreFailure) -> Result
    ) throws(SecretStoreFailure) -> Result {
        try answer.withBytes { bytes throws(SecretStoreFailure) in
            try body(bytes.extracting(response.body))
        }
    }

    /// The last answer's body, to be changed in place.
    func withMutableBody<Result: ~Copyable>(
        of response: HTTPResponse,
        _ body: (UnsafeMutableRawBufferPointer) throws(SecretStoreFailure) -> Result
    ) throws(SecretStoreFailure) -> Result {
        try answer.withMutableBytes { bytes throws(SecretStoreFailure) in
            try body(UnsafeMutableRawBufferPointer(rebasing: bytes[response.body]))
        }
    }

    /// A header of the last answer that carries no secret.
    func publicHeader(_ name: String, of response: HTTPResponse) -> String? {
        answer.withBytes { response.publicText(of: name, in: $0) }
    }

    /// Zeroes the last answer.
    func forgetAnswer() { answer.zero() }

    /// Zeroes the last answer and closes the connection.
    func close() {
        answer.zero()
        connection = nil
    }

    // MARK: - One exchange

    private func exchange(
        _ request: borrowing SecretBuffer, with origin: Origin, path: String
    ) throws(SecretStoreFailure) -> HTTPResponse {
        let connection = try connected(to: origin)
        try request.withBytes { bytes throws(SecretStoreFailure) in
            try connection.write(bytes, deadline: deadline)
        }
        answer.zero()
        var machine = HTTPResponseStateMachine(limits: limits)
        while true {
            // A server that never pauses is never waited for, and so not cut off there.
            guard !deadline.isInterrupted else { throw .interrupted }
            guard !deadline.hasPassed else {
                throw .timedOut(host: origin.host, seconds: deadline.seconds)
            }
            var isEnd = false
            try answer.fill { rest throws(SecretStoreFailure) in
                switch try connection.read(into: rest, deadline: deadline) {
                case .bytes(let count): return count
                case .closed:
                    isEnd = true
                    return 0
                case .cut: throw .responseTruncated(path: path)
                }
            }
            switch try step(&machine, isEnd: isEnd, path: path) {
            case .read(let keeping, let expecting):
                answer.truncate(to: keeping)
                try makeRoom(for: expecting, path: path)
            case .finished(let response, let keeping):
                answer.truncate(to: keeping)
                return response
            }
        }
    }

    private func step(
        _ machine: inout HTTPResponseStateMachine, isEnd: Bool, path: String
    ) throws(SecretStoreFailure) -> HTTPResponseStateMachine.Action {
        do throws(HTTPFormatFailure) {
            return try answer.withMutableBytes { bytes throws(HTTPFormatFailure) in
                try machine.received(bytes, isEnd: isEnd)
            }
        } catch {
            switch error {
            case .malformed(let reason): throw .responseMalformed(path: path, detail: reason)
            case .truncated: throw .responseTruncated(path: path)
            case .headTooLarge(let limit), .bodyTooLarge(let limit):
                throw .responseTooLarge(path: path, limitBytes: limit)
            case .tooManyFields(let limit):
                throw .responseMalformed(path: path, detail: "more than \(limit) header fields")
            }
        }
    }

    /// Moves the answer to a larger buffer when the next bytes would not fit.
    private func makeRoom(for expected: Int, path: String) throws(SecretStoreFailure) {
        guard answer.count + expected > answer.capacity || answer.count == answer.capacity else {
            return
        }
        // Besides head and body only one line of chunk framing is ever kept.
        let limit = limits.headBytesMax + limits.bodyBytesMax + 4096
        let wanted = max(answer.capacity * 2, answer.count + expected)
        guard answer.count < limit else {
            throw .responseTooLarge(path: path, limitBytes: limits.bodyBytesMax)
        }
        var larger = try memory.buffer(capacity: min(wanted, limit))
        do throws(SecretMemoryFailure) {
            try answer.withBytes { bytes throws(SecretMemoryFailure) in
                try larger.append(bytes)
            }
        } catch { throw .memory(error) }
        answer = larger
    }

    // MARK: - Connecting

    private func connected(to origin: Origin) throws(SecretStoreFailure) -> TLSConnection {
        if let connection, connection.origin == origin, connection.isUsable { return connection }
        connection = nil
        guard origin.scheme == "https", settings.allowedOrigins.contains(origin) else {
            throw .originForbidden(origin: origin.description)
        }
        let addresses = try resolver.addresses(
            of: origin.host, port: origin.port, deadline: deadline)
        var last = SocketFailure.systemCall(errorNumber: EADDRNOTAVAIL)
        // Each address gets its share of the time, so that a dead one leaves some for the rest.
        let milliseconds = settings.requestSecondsMax * 1000 / addresses.count
        for address in addresses {
            let socket: Socket
            do throws(SocketFailure) {
                socket = try Socket(
                    kind: SOCK_STREAM, connectingTo: address, deadline: deadline,
                    atMost: milliseconds)
            } catch {
                guard error != .interrupted else { throw .interrupted }
                last = error
                continue
            }
            let made = try TLSConnection(
                over: socket, to: origin, context: context,
                clientCertificateFile: settings.clientCertificateFile, deadline: deadline)
            connection = made
            return made
        }
        switch last {
        case .timedOut: throw .timedOut(host: origin.host, seconds: deadline.seconds)
        case .interrupted: throw .interrupted
        case .systemCall(let errorNumber):
            throw .connectionFailed(
                host: origin.host, port: origin.port, errorNumber: errorNumber)
        }
    }

    /// Where a redirect leads, if it may be followed: the token goes to allowed origins only.
    private func redirection(
        _ response: HTTPResponse, from origin: Origin, path: String
    ) throws(SecretStoreFailure) -> (Origin, String) {
        guard let location = publicHeader("location", of: response),
            let target = RedirectTarget(location, from: origin)
        else { throw .responseMalformed(path: path, detail: "Location of a redirect") }
        guard settings.allowedOrigins.contains(target.origin), target.origin.scheme == "https"
        else {
            throw .redirectForbidden(
                from: origin.description, to: target.origin.description)
        }
        return (target.origin, target.path)
    }
}
