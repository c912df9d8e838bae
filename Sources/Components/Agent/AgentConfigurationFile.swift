// SPDX-License-Identifier: Apache-2.0

/// The file that `--config` names: one flag a line, with or without its `--`; lines that begin with
/// `#` and empty lines say nothing.
///
///     # /etc/cloudtaser/agent.conf
///     mode deny
///     policy AV-026=detect
///     lock-modules
package enum AgentConfigurationFile {
    package static let bytesMax = 64 << 10

    /// The flags of the file as words of a command line.
    package static func words(_ bytes: [UInt8]) throws(ArgumentFailure) -> [String] {
        guard bytes.count <= bytesMax else {
            throw ArgumentFailure(text: "the file has more than \(bytesMax) bytes")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ArgumentFailure(text: "the file is no UTF-8")
        }
        var words: [String] = []
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let trimmed = trim(line)
            guard let first = trimmed.first, first != "#" else { continue }
            let parts = trimmed.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" })
            let flag = parts[0].hasPrefix("--") ? String(parts[0]) : "--" + parts[0]
            guard !flag.hasPrefix("--config") else {
                throw ArgumentFailure(text: "line \(index + 1): a file cannot name another one")
            }
            words.append(flag)
            if parts.count == 2 { words.append(String(trim(parts[1]))) }
            do throws(ArgumentFailure) {
                _ = try AgentOptions(Array(words.suffix(parts.count)))
            } catch {
                throw ArgumentFailure(text: "line \(index + 1): \(error.text)")
            }
        }
        return words
    }

    private static func trim(_ text: Substring) -> Substring {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var rest = text.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return rest
    }
}
