// SPDX-License-Identifier: Apache-2.0

let secretRules = [
    Rule(
        name: "On the wrapper's path a secret is never text, an array or data",
        control: [
            "Package.swift": """
            let all = [library("A", in: "Sources/Core"), library("B", in: "Sources/Core"),
             program("cloudtaser-wrapper", in: "Sources/Executables", ["A"])]
            """,
            "Sources/Core/A/A.swift": """
            let token: String
            var vaultToken: [UInt8]?
            func a(clientSecret: borrowing Data) {}
            let tokenFile: String
            let secretIDPath: String?
            let password: SecretBuffer
            let tokenBytesMax: Int
            """,
            "Sources/Core/B/B.swift": "let token: String\n",
        ],
        planted: [1, 2, 3].map { "Sources/Core/A/A.swift:\($0)" },
        check: { repository in
            let closure = repository.manifest.closure(of: ["cloudtaser-wrapper"])
            return repository.swiftFiles.filter { file in
                file.path.hasPrefix("Sources/")
                    && closure.contains(repository.target(of: file)?.name ?? "")
            }.flatMap { file in
                file.code.indices.flatMap { index in
                    declarations(on: file.code[index]).filter { isSecret($0.name, $0.type) }.map {
                        Finding(
                            file, line: index,
                            "'\($0.name)' may not be \($0.type), use SecretBuffer or RawSpan")
                    }
                }
            }
        })
]

/// Pairs of `name: Type` on a line, with the type's modifiers left out.
private func declarations(on line: String) -> [(name: String, type: String)] {
    guard line.contains(":") else { return [] }
    return line.indices.filter { line[$0] == ":" }.compactMap { colon in
        let before = line[..<colon]
        let name = String(before.reversed().prefix { $0.isLetter || $0.isNumber }.reversed())
        let words = line[line.index(after: colon)...].split { " ,)=?{".contains($0) }
        let type = words.first { !["borrowing", "consuming", "inout", "any", "some"].contains($0) }
        guard !name.isEmpty, let type else { return nil }
        return (name, String(type))
    }
}

private func isSecret(_ name: String, _ type: String) -> Bool {
    let types: Set<String> = [
        "String", "Substring", "[UInt8]", "ArraySlice<UInt8>", "Data", "ByteBuffer",
        "Array<UInt8>", "ContiguousArray<UInt8>",
    ]
    guard types.contains(type) else { return false }
    let words = wordsOf(name)
    // The last word says what the value is: a tokenFile is a file, a clientToken is a token.
    guard let last = words.last else { return false }
    return ["password", "secret", "token", "jwt", "passphrase"].contains(last)
        || words.suffix(2) == ["secret", "id"] || words.suffix(2) == ["secret", "value"]
        || words.suffix(2) == ["private", "key"]
}

/// `clientSecretID` → client, secret, id.
private func wordsOf(_ name: String) -> [String] {
    var words: [String] = []
    var wasUpper = false
    for character in name {
        let startsWord = character.isUppercase && !wasUpper
        if startsWord || words.isEmpty { words.append("") }
        words[words.count - 1].append(Character(character.lowercased()))
        wasUpper = character.isUppercase
    }
    return words
}
