// SPDX-License-Identifier: Apache-2.0
import CLinux
package import Delivery
import Glibc
package import Ports

/// Where commands are handed to a running wrapper: an abstract socket that both sides find by their
/// mount and process namespaces, which the processes of one container share and no others do. No
/// folder is needed that the container may write in. No secret travels over it.
package final class AttachListener: Sendable {
    let descriptor: Int32
    let isDeclared: @Sendable ([RawText]) -> Bool

    /// Made before the program runs, so that nobody else in the container can take the name.
    ///
    /// - Parameter isDeclared: whether a command may be run; called on the trees' thread.
    /// - Throws: `systemCall("bind", EADDRINUSE)` when the name is taken.
    package init(
        isDeclared: @escaping @Sendable ([RawText]) -> Bool
    ) throws(ProcessHostFailure) {
        descriptor = clinux_attach_listen(try AttachPlace.name())
        guard descriptor >= 0 else { throw .systemCall("bind", errorNumber: -descriptor) }
        self.isDeclared = isDeclared
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}

enum AttachPlace {
    static func name() throws(ProcessHostFailure) -> String {
        "cloudtaser-attach \(try link("/proc/self/ns/mnt")) \(try link("/proc/self/ns/pid"))"
    }

    /// Why nothing is done for whoever is at the other end; nil: it is this program, run by the
    /// same user or by root in the same container.
    ///
    /// Anybody there may execute this program, so this keeps accidents and other containers away;
    /// what may be run is decided by the commands that were declared.
    static func refusal(ofPeerOf connection: Int32) -> String? {
        var process: pid_t = 0
        var user: UInt32 = 0
        let result = clinux_peer(connection, &process, &user)
        guard result == 0, process > 0 else { return "the caller is not of this container" }
        guard user == geteuid() || user == 0 else { return "the caller is another user" }
        do throws(ProcessHostFailure) {
            guard
                try link("/proc/\(process)/ns/mnt") == link("/proc/self/ns/mnt"),
                try file("/proc/\(process)/exe") == file("/proc/self/exe")
            else { return "the caller is not this program in this container" }
            return nil
        } catch { return "the caller cannot be looked at in /proc" }
    }

    /// What is known of the one that answers, whose memory and /proc files are closed to others:
    /// that the kernel shows it here, and as whom it runs.
    static func refusal(ofServerAt connection: Int32) -> String? {
        var process: pid_t = 0
        var user: UInt32 = 0
        guard clinux_peer(connection, &process, &user) == 0, process > 0 else {
            return "what answers is not of this container"
        }
        // Root may run a probe of a wrapper that does not run as root.
        guard user == geteuid() || geteuid() == 0 else { return "what answers is another user" }
        return nil
    }

    private static func link(_ path: String) throws(ProcessHostFailure) -> String {
        var text = [CChar](repeating: 0, count: 64)
        let count = readlink(path, &text, text.count)
        guard count > 0, count < text.count else {
            throw .systemCall("readlink", errorNumber: count < 0 ? errno : ENAMETOOLONG)
        }
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func file(_ path: String) throws(ProcessHostFailure) -> [UInt64] {
        var facts = stat()
        guard stat(path, &facts) == 0 else { throw .systemCall("stat", errorNumber: errno) }
        return [UInt64(facts.st_dev), UInt64(facts.st_ino)]
    }
}

/// What the running wrapper answers.
package enum AttachAnswer: Equatable, Sendable {
    /// The command was run: its exit code, or 128 + the signal.
    case ended(Int32)
    /// It was not; why.
    case refused(String)
    case notFound(String)
    case notExecutable(String)
}

/// How a command is asked for: its words, each with a NUL, in one message; and the answer: a byte
/// for the case, four for the code (little-endian), and a text.
enum AttachMessage {
    /// Most bytes of a request.
    static let requestBytesMax = 65_536
    /// Most bytes of an answer's text.
    static let textBytesMax = 1_024

    /// Nil without a word, or when the last one has no end.
    static func words(of request: ArraySlice<UInt8>) -> [RawText]? {
        guard request.last == 0 else { return nil }
        return request.dropLast().split(separator: 0, omittingEmptySubsequences: false)
            .map { RawText(bytes: $0) }
    }

    static func request(_ words: [RawText]) -> [UInt8] { words.flatMap { $0.bytes + [0] } }

    static func bytes(of answer: AttachAnswer) -> [UInt8] {
        let (kind, code, text): (UInt8, Int32, String) =
            switch answer {
            case .ended(let code): (0, code, "")
            case .refused(let text): (1, 0, text)
            case .notFound(let text): (2, 0, text)
            case .notExecutable(let text): (3, 0, text)
            }
        let number = UInt32(bitPattern: code)
        return [kind] + (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
            + text.utf8.prefix(textBytesMax)
    }

    static func answer(_ bytes: ArraySlice<UInt8>) -> AttachAnswer? {
        guard bytes.count >= 5, let kind = bytes.first else { return nil }
        let code = bytes.dropFirst().prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let text = String(decoding: bytes.dropFirst(5), as: UTF8.self)
        switch kind {
        case 0: return .ended(Int32(bitPattern: code))
        case 1: return .refused(text)
        case 2: return .notFound(text)
        case 3: return .notExecutable(text)
        default: return nil
        }
    }
}

/// The side of a probe or hook.
package enum AttachClient {
    /// How long a wrapper is waited for that has not begun to listen: a hook may be run as soon as
    /// the container is there.
    static let connectSecondsMax = 5
    private static let pauseMicroseconds: UInt32 = 50_000

    /// Has the running wrapper run the command, its output going to this process's standard output
    /// and error, and waits for its end. When this process ends, the command is killed.
    package static func run(_ words: [RawText]) throws(ProcessHostFailure) -> AttachAnswer {
        let request = AttachMessage.request(words)
        guard request.count <= AttachMessage.requestBytesMax else {
            return .refused("the command has more than \(AttachMessage.requestBytesMax) bytes")
        }
        let connection = try connect()
        guard connection >= 0 else {
            return .refused("no wrapper with CLOUDTASER_ATTACH runs in this container")
        }
        defer { close(connection) }
        if let refusal = AttachPlace.refusal(ofServerAt: connection) { return .refused(refusal) }
        let sent = clinux_attach_send(
            connection, request, request.count, [STDOUT_FILENO, STDERR_FILENO])
        // It may have answered already, and closed.
        guard sent == 0 || sent == -EPIPE else {
            throw .systemCall("sendmsg", errorNumber: -sent)
        }
        var bytes = [UInt8](repeating: 0, count: 5 + AttachMessage.textBytesMax)
        while true {
            let got = recv(connection, &bytes, bytes.count, 0)
            if got < 0, errno == EINTR { continue }
            return got > 0
                ? AttachMessage.answer(bytes.prefix(got))
                    ?? .refused("the answer is not understood")
                : .refused("the wrapper, or its program, ended meanwhile")
        }
    }

    /// -1 when nobody listens.
    private static func connect() throws(ProcessHostFailure) -> Int32 {
        let name = try AttachPlace.name()
        let end = MonotonicClock.now().advanced(by: .seconds(connectSecondsMax))
        while true {
            let connection = clinux_attach_connect(name)
            if connection >= 0 { return connection }
            if connection == -EINTR { continue }
            guard connection == -ECONNREFUSED else {
                throw .systemCall("connect", errorNumber: -connection)
            }
            guard MonotonicClock.now() < end else { return -1 }
            usleep(pauseMicroseconds)
        }
    }
}
