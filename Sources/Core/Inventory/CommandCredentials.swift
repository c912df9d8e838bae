// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Credentials in the words of a command, which every process of the node may read in
/// `/proc/PID/cmdline`. A guess, as `CredentialNames` makes it.
enum CommandCredentials {
    struct Found: Equatable {
        /// Of the word, from its list: `args[2]`.
        let index: Int
        /// Of the option or variable; never a value.
        let name: String
    }

    /// Longest name that is told: what is longer may be a value.
    static let nameBytesMax = 64

    /// `--password=VALUE`, `--password VALUE`, `PASSWORD=VALUE`, and addresses with a password;
    /// also inside a word, as of `sh -c`.
    static func all(in words: [String]) -> [Found] {
        var found: [Found] = []
        for (index, word) in words.enumerated() {
            let parts = word.split { $0 == " " || $0 == "\n" || $0 == "\t" || $0 == ";" }
                .map(unquoted)
            if parts.count > 1 {
                // A script: each of its words, and the one after it.
                for (position, part) in parts.enumerated() {
                    let next = position + 1 < parts.count ? parts[position + 1] : nil
                    if let name = credential(in: part, next) {
                        found.append(Found(index: index, name: name))
                    }
                }
            } else if let part = parts.first {
                let next = index + 1 < words.count ? words[index + 1] : nil
                if let name = credential(in: part, next) {
                    found.append(Found(index: index, name: name))
                }
            }
        }
        return found
    }

    private static func credential(in word: String, _ next: String?) -> String? {
        if let equals = word.firstIndex(of: "=") {
            let name = String(word[..<equals])
            let value = unquoted(word[word.index(after: equals)...])
            if isName(name), !isVariable(value),
                CredentialNames.isCredential(name: name, value: value)
            {
                return name
            }
        } else if word.hasPrefix("-"), isName(word), let next, !next.hasPrefix("-"),
            !isVariable(next), CredentialNames.isAboutCredentials(word),
            CredentialNames.isCredential(name: word, value: next)
        {
            return word
        }
        return CredentialNames.isCredential(name: "", value: word) ? "an address or a key" : nil
    }

    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= nameBytesMax && !text.isEmpty
            && text.utf8.allSatisfy { byte in
                byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
                    || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                    || (0x61...0x7A).contains(byte)
            }
    }

    /// `$NAME`, `${NAME}` and `$(NAME)`: what the shell or the kubelet fills in.
    private static func isVariable(_ value: String) -> Bool { value.hasPrefix("$") }

    private static func unquoted(_ text: some StringProtocol) -> String {
        var text = Substring(text)
        for quote in ["\"", "'"] where text.hasPrefix(quote) && text.count > 1 {
            text.removeFirst()
            if text.hasSuffix(quote) { text.removeLast() }
        }
        return String(text)
    }
}

extension SecretUses {
    /// Where a container keeps words that are run.
    func commands(of container: Workload.Container) -> [SecretUse] {
        let handlers = [
            "livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart",
            "lifecycle.preStop",
        ]
        var lists: [(path: String, words: JSONTree?)] = [
            ("command", container.tree["command"]), ("args", container.tree["args"]),
        ]
        for handler in handlers {
            var tree: JSONTree? = container.tree
            for name in handler.split(separator: ".") { tree = tree?[String(name)] }
            lists.append(("\(handler).exec.command", tree?.value(at: "exec", "command")))
        }
        return lists.flatMap { list in
            let words = (list.words?.elements ?? []).map { $0.text ?? "" }
            return CommandCredentials.all(in: words).map { found in
                SecretUse(
                    finding: .credentialInCommand, container: container.name,
                    path: "\(container.path).\(list.path)[\(found.index)]", subject: found.name,
                    keys: [],
                    conversion: .after(
                        "let the program read it from its environment: a command line is "
                            + "readable to every process of the node"))
            }
        }
    }
}
