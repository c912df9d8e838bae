// SPDX-License-Identifier: Apache-2.0
import Compliance

/// The words that mark unfinished work, put together here so that this file may hold them.
private let unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:"]

let documentRules = [
    Rule(
        name: "Nothing is left unfinished in the tree",
        control: [
            "Sources/Core/A/A.swift": "// \(unfinished[0]): later\n",
            "docs/a.md": "a\n\(unfinished[1]) b\n",
            "docs/b.md": "mktemp /tmp/a.XXXXXX: a folder\n",
        ],
        planted: ["Sources/Core/A/A.swift:1", "docs/a.md:2"],
        check: { repository in
            repository.files.flatMap { file in
                let marks = unfinished.filter { file.text.contains($0) }
                guard !marks.isEmpty else { return [Finding]() }
                return file.lines.indices.filter { index in
                    marks.contains { mark in
                        file.lines[index].split { !($0.isLetter || $0 == ":") }
                            .contains { $0 == mark || $0 == mark + ":" }
                    }
                }.map {
                    Finding(
                        file, line: $0,
                        "the tree may not hold unfinished work, use an issue or finish it")
                }
            }
        }),
    Rule(
        name: "No source file is a placeholder",
        control: [
            "Sources/Core/A/A.swift": "// A\n\n", "Sources/Core/A/B.swift": "let a = 1\n",
            "Sources/System/A/a.c": "/* a */\n",
        ],
        planted: ["Sources/Core/A/A.swift:1", "Sources/System/A/a.c:1"],
        check: { repository in
            repository.files.filter { file in
                (file.isSwift || file.isC) && file.code.allSatisfy { $0.allSatisfy(\.isWhitespace) }
            }.map {
                Finding(
                    $0, line: 0, "a source file may not be without code, use it or remove it")
            }
        }),
    Rule(
        name: "Nothing that a build makes is in the tree",
        control: [
            ".build/a": "", "build/a.md": "", "Package.resolved": "{}", "vm-tests/a.o": "",
            "vm-tests/a.md": "",
        ],
        planted: [".build/a:1", "build/a.md:1", "Package.resolved:1", "vm-tests/a.o:1"],
        check: { repository in
            repository.files.filter { file in
                let folders = [".build/", "build/"]
                let endings = [".o", ".a", ".so", ".swiftmodule", ".cpio", ".pyc"]
                return file.isELF || file.path == "Package.resolved"
                    || folders.contains { file.path.hasPrefix($0) }
                    || endings.contains { file.path.hasSuffix($0) }
            }.map {
                Finding($0, line: 0, "a build's product may not be in the tree, use .gitignore")
            }
        }),
    Rule(
        name: "Each folder of fixtures says where its data comes from",
        control: [
            "Fixtures/a/a.json": "", "Fixtures/a/PROVENANCE.md": "", "Fixtures/b/c/a.json": "",
        ],
        planted: ["Fixtures/b:1"],
        check: { repository in
            let folders = Set(
                repository.files.compactMap { file -> String? in
                    let parts = file.path.split(separator: "/")
                    guard parts.first == "Fixtures", parts.count > 2 else { return nil }
                    return parts.prefix(2).joined(separator: "/")
                })
            return folders.filter { !repository.paths.contains($0 + "/PROVENANCE.md") }.sorted()
                .map {
                    Finding(
                        path: $0, line: 1,
                        "fixtures may not be without an origin, use \($0)/PROVENANCE.md")
                }
        }),
    Rule(
        name: "Links in documents lead somewhere",
        control: [
            "README.md": "[a](docs/a.md) [b](docs/b.md#c)\n[d](https://e.example) [f](#g)\n",
            "docs/a.md": "[up](../README.md) [folder](../docs)\n```\n[x](y.md)\n```\n[z](z.md)\n",
        ],
        planted: ["README.md:1", "docs/a.md:5"],
        check: { repository in
            repository.files.filter { $0.path.hasSuffix(".md") }.flatMap { file in
                DocumentLink.all(of: file).filter { !repository.paths.contains($0.path) }.map {
                    Finding(
                        file, line: $0.line,
                        "a link may not lead to \($0.path), which is not there; "
                            + "use a path from this file's folder")
                }
            }
        }),
    Rule(
        name: "Each decision is in the list of decisions",
        control: [
            "docs/adr/README.md": "[1](0001-a.md)\n", "docs/adr/0001-a.md": "",
            "docs/adr/0002-b.md": "",
        ],
        planted: ["docs/adr/0002-b.md:1"],
        check: { repository in
            let list = repository.files.first { $0.path == "docs/adr/README.md" }?.text ?? ""
            return repository.files.filter { file in
                file.path.hasPrefix("docs/adr/") && file.name != "README.md"
                    && !list.contains(file.name)
            }.map {
                Finding(
                    $0, line: 0, "a decision may not be unlisted, use a row in docs/adr/README.md")
            }
        }),
    Rule(
        name: "No page promises what no test can show",
        control: [
            "README.md": "This is good.\nIt is \(Wording.bannedPhrases[0]) to fail.\n",
            "SECURITY.md": "This is good.\nIt is \(brokenPhrase) to fail.\n",
            "Sources/Core/A/A.swift": "// We \(Wording.bannedPhrases[1]) it.\n",
            "Fixtures/a/PROVENANCE.md": "\(Wording.bannedPhrases[0])\n",
            "docs/compliance/a.md":
                "\(Wording.correctionMark)It was “\(Wording.bannedPhrases[0])”.\n"
                + "\(Wording.correctionMark)It is \(Wording.bannedPhrases[0]).\n"
                + "It is “\(Wording.bannedPhrases[0])”.\n",
        ],
        planted: [
            "README.md:2", "SECURITY.md:2", "Sources/Core/A/A.swift:1", "docs/compliance/a.md:2",
            "docs/compliance/a.md:3",
        ],
        check: { repository in
            repository.files.filter { file in
                let isPage = file.path.hasSuffix(".md") && !file.path.hasPrefix("Fixtures/")
                let isSource = file.path.hasPrefix("Sources/")
                return (isPage || isSource) && file.path != wordingList
            }.flatMap { file -> [Finding] in
                guard Wording.bannedPhrase(in: file.text) != nil else { return [] }
                // What older text said may be quoted where it is taken back.
                let texts = file.lines.map { line in
                    let line = String(line)
                    return file.path.hasPrefix("docs/compliance/")
                        && line.hasPrefix(Wording.correctionMark)
                        ? Wording.withoutQuotes(line) : line
                }
                return texts.indices.compactMap { index in
                    let next = index + 1 < texts.count ? texts[index + 1] : ""
                    // Also one that goes on in the next line.
                    let phrase =
                        Wording.bannedPhrase(in: texts[index])
                        ?? (Wording.bannedPhrase(in: next) == nil
                            ? Wording.bannedPhrase(in: "\(texts[index])\n\(next)") : nil)
                    return phrase.map {
                        Finding(
                            file, line: index,
                            "the text may not say '\($0)', use what is protected from whom")
                    }
                }
            }
        }),
]

/// Over two lines.
private let brokenPhrase = Wording.bannedPhrases[0].replacing(" ", with: "\n")

/// The one place where the banned phrases stand.
private let wordingList = "Sources/Core/Compliance/Wording.swift"

/// A relative link of a Markdown file.
private struct DocumentLink {
    /// Where it leads, from the repository's root.
    let path: String
    let line: Int

    static func all(of file: SourceFile) -> [DocumentLink] {
        var isQuoted = false
        return file.lines.indices.flatMap { index -> [DocumentLink] in
            if file.lines[index].trimmed.hasPrefix("```") { isQuoted.toggle() }
            guard !isQuoted else { return [] }
            return targets(on: file.lines[index]).map {
                DocumentLink(path: resolve($0, from: file.path), line: index)
            }
        }
    }

    private static func targets(on line: String) -> [Substring] {
        line.ranges(of: "](").compactMap { range in
            let target = line[range.upperBound...].prefix { $0 != ")" && $0 != " " }
            let path = target.prefix { $0 != "#" }
            let isElsewhere = target.contains("://") || target.hasPrefix("mailto:")
            return path.isEmpty || isElsewhere ? nil : path
        }
    }

    private static func resolve(_ target: Substring, from path: String) -> String {
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") where part != "." {
            if part == "..", !parts.isEmpty {
                parts.removeLast()
            } else {
                parts.append(String(part))
            }
        }
        return parts.isEmpty ? "." : parts.joined(separator: "/")
    }
}
