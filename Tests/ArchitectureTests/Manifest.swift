// SPDX-License-Identifier: Apache-2.0

/// A target as Package.swift states it.
struct ManifestTarget: Sendable {
    let name: String
    /// The folder, from the repository's root.
    let path: String
    /// Names of targets and products.
    let dependencies: [String]
    /// Where it stands in Package.swift, from 1.
    let line: Int
    let isProgram: Bool
}

/// What Package.swift says, read from its text: the rules must hold in a fresh clone, where
/// asking the package manager from inside a test would wait for its own lock.
///
/// Understands the helpers of this manifest (`library`, `program`, `tests`, `cTarget`,
/// `systemLibrary`, `testProgram`) and the plain `.target`, `.executableTarget` and `.testTarget`.
struct Manifest: Sendable {
    let targets: [ManifestTarget]
    private let named: [String: ManifestTarget]

    init(text: String) {
        targets = Self.calls.flatMap { call in
            text.ranges(of: call + "(").compactMap { range in
                let before = text[..<range.lowerBound].last
                let isWord = before.map { !$0.isLetter && $0 != "." } ?? true
                return isWord || call.hasPrefix(".")
                    ? Self.target(call: call, in: text, from: range) : nil
            }
        }
        named = Dictionary(targets.map { ($0.name, $0) }, uniquingKeysWith: { one, _ in one })
    }

    func target(named name: String) -> ManifestTarget? { named[name] }

    /// `names` and everything they link, directly or not.
    func closure(of names: [String]) -> Set<String> {
        var found: Set<String> = []
        var open = names
        while let name = open.popLast() {
            guard found.insert(name).inserted else { continue }
            open += target(named: name)?.dependencies ?? []
        }
        return found
    }

    private static let calls = [
        "library", "program", "tests", "cTarget", "systemLibrary", "testProgram", ".target",
        ".executableTarget", ".testTarget",
    ]

    private static func target(
        call: String, in text: String, from range: Range<String.Index>
    ) -> ManifestTarget? {
        let arguments = Arguments(text[range.upperBound...])
        guard let name = arguments.string("name") ?? arguments.string(0) else { return nil }
        let folder = arguments.string("in")
        let path: String
        switch call {
        case "tests": path = "Tests/\(name)"
        case "testProgram": path = "Tests/Programs/\(name)"
        case "systemLibrary": path = "Sources/System/\(name)"
        default: path = arguments.string("path") ?? folder.map { "\($0)/\(name)" } ?? ""
        }
        return ManifestTarget(
            name: name, path: path,
            dependencies: arguments.list("dependencies") ?? arguments.firstList ?? [],
            line: text[..<range.lowerBound].count { $0 == "\n" } + 1,
            isProgram: ["program", "testProgram", ".executableTarget"].contains(call))
    }
}

/// The arguments of one call, cut at the commas of the outermost level.
private struct Arguments {
    private var values: [(label: String?, text: String)] = []

    init(_ text: Substring) {
        var depth = 0
        var inString = false
        var argument = ""
        for character in text {
            if character == "\"" { inString.toggle() }
            if !inString {
                if "([{".contains(character) { depth += 1 }
                if ")]}".contains(character) { depth -= 1 }
                if depth < 0 { break }
                if character == ",", depth == 0 {
                    append(argument)
                    argument = ""
                    continue
                }
            }
            argument.append(character)
        }
        append(argument)
    }

    private mutating func append(_ argument: String) {
        let text = argument.trimmed
        let label = text.prefix { $0.isLetter }
        let rest = text.dropFirst(label.count)
        if !label.isEmpty, rest.hasPrefix(":") {
            values.append((String(label), String(rest.dropFirst()).trimmed))
        } else if !text.isEmpty {
            values.append((nil, text))
        }
    }

    func string(_ label: String) -> String? {
        values.first { $0.label == label }.flatMap { Self.literal($0.text) }
    }

    func string(_ position: Int) -> String? {
        values.indices.contains(position) ? Self.literal(values[position].text) : nil
    }

    func list(_ label: String) -> [String]? {
        values.first { $0.label == label }.map { Self.strings($0.text) }
    }

    /// The first list that has no label.
    var firstList: [String]? {
        values.first { $0.label == nil && $0.text.hasPrefix("[") }.map { Self.strings($0.text) }
    }

    private static func literal(_ text: String) -> String? {
        guard text.hasPrefix("\""), text.hasSuffix("\""), text.count >= 2 else { return nil }
        return String(text.dropFirst().dropLast())
    }

    /// The strings of a list; of `.product(name:package:)` the product's name.
    private static func strings(_ text: String) -> [String] {
        Arguments(text.dropFirst().dropLast()).values.compactMap { value in
            if let literal = literal(value.text) { return literal }
            guard value.text.hasPrefix(".product("),
                let open = value.text.firstIndex(of: "(")
            else { return nil }
            return Arguments(value.text[value.text.index(after: open)...]).string("name")
        }
    }
}

extension StringProtocol {
    /// Without white space at either end.
    var trimmed: String {
        let start = drop { $0.isWhitespace }
        return String(start.reversed().drop { $0.isWhitespace }.reversed())
    }
}
