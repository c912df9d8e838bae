// SPDX-License-Identifier: Apache-2.0
package import Delivery

/// What `cloudtaser-wrapper attach` may run (`CLOUDTASER_ATTACH`).
package enum AttachPolicy: Sendable, Equatable {
    /// Nothing.
    case none
    /// Any command, without the values and without asking the running wrapper.
    case plain
    /// These and no others, started by the running wrapper with the values. Not empty.
    case commands([DeclaredCommand])

    /// Most commands: a container has three probes and two hooks.
    package static let commandCountMax = 16

    private static let plainText = "plain"

    /// Commands are separated by commas and their words by blanks; in a word `%`, `,`, `"`, `$` and
    /// what is no printable ASCII are written as `%` and two hexadecimal digits, and a word that is
    /// empty as `""`.
    ///
    /// - Throws: for anything else, with the reason.
    package init(_ text: String) throws(ConfigurationFailure) {
        guard text != Self.plainText else {
            self = .plain
            return
        }
        var commands: [DeclaredCommand] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            var words: [RawText] = []
            for word in part.split(separator: " ") { words.append(try Self.word(word)) }
            guard !words.isEmpty, words.count <= DeclaredCommand.wordCountMax else {
                throw Self.failure(
                    "has a command of 0 or more than \(DeclaredCommand.wordCountMax)"
                        + " words; commas separate commands, write %2C for one in a word")
            }
            commands.append(DeclaredCommand(words))
        }
        guard commands.count <= Self.commandCountMax else {
            throw Self.failure("has more than \(Self.commandCountMax) commands")
        }
        self = .commands(commands)
    }

    /// As `init` reads it; "" for `none`.
    package var text: String {
        switch self {
        case .none: return ""
        case .plain: return Self.plainText
        case .commands(let commands):
            let text = commands.map { $0.words.map(Self.encoded).joined(separator: " ") }
                .joined(separator: ",")
            // One command of one word, which would read as the other policy.
            return text == Self.plainText ? "%70" + text.dropFirst() : text
        }
    }

    private static func failure(_ reason: String) -> ConfigurationFailure {
        ConfigurationFailure(ControlVariable.attach.rawValue, reason)
    }

    private static func word(_ text: Substring) throws(ConfigurationFailure) -> RawText {
        guard text != "\"\"" else { return "" }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                guard isPlain(byte) else {
                    throw failure("has a byte that is to be written as % and two digits")
                }
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit),
                let low = rest.popFirst().flatMap(digit),
                high * 16 + low != 0
            else { throw failure("has a % that no two hexadecimal digits but 00 follow") }
            bytes.append(high * 16 + low)
        }
        return RawText(bytes: bytes)
    }

    private static func encoded(_ word: RawText) -> String {
        guard !word.bytes.isEmpty else { return "\"\"" }
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        for byte in word.bytes {
            if isPlain(byte) {
                text.append(byte)
            } else {
                text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"%,\"$".utf8.contains(byte)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

/// A command of a probe or hook, as the pod's author wrote it.
package struct DeclaredCommand: Sendable, Equatable {
    /// Most words of one command.
    package static let wordCountMax = 256

    /// At least one.
    package let words: [RawText]

    package init(_ words: [RawText]) { self.words = words }

    /// Whether these words are the command: as it was written, or as the kubelet expands it, which
    /// it does for probes and not for hooks.
    ///
    /// - Parameter lookUp: the container's environment.
    package func isMeant(by given: [RawText], lookUp: (String) -> RawText?) -> Bool {
        given == words || given == words.map { Self.expanded($0, lookUp: lookUp) }
    }

    /// `$(NAME)` becomes the variable's value or stays, `$$` becomes `$`
    /// (k8s.io/kubernetes/third_party/forked/golang/expansion).
    static func expanded(_ word: RawText, lookUp: (String) -> RawText?) -> RawText {
        let sign = UInt8(ascii: "$")
        var bytes: [UInt8] = []
        var rest = word.bytes[...]
        while let byte = rest.popFirst() {
            guard byte == sign, let next = rest.first else {
                bytes.append(byte)
                continue
            }
            if next == UInt8(ascii: "("), let end = rest.firstIndex(of: UInt8(ascii: ")")) {
                let reference = rest[rest.startIndex...end]
                let name = String(decoding: reference.dropFirst().dropLast(), as: UTF8.self)
                bytes += lookUp(name)?.bytes ?? [sign] + reference
                rest = rest[(end + 1)...]
            } else {
                bytes += next == sign ? [sign] : [sign, next]
                rest.removeFirst()
            }
        }
        return RawText(bytes: bytes)
    }
}
