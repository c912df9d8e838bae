// SPDX-License-Identifier: Apache-2.0

/// One `import` of a Swift file.
struct ImportLine {
    let module: String
    /// Index into the file's lines.
    let line: Int

    static func all(of file: SourceFile) -> [ImportLine] {
        file.lines(with: "import ").compactMap { index in
            let words = file.code[index].split(separator: " ")
            guard let keyword = words.firstIndex(of: "import") else { return nil }
            let before = words[..<keyword].allSatisfy {
                $0.hasPrefix("@") || modifiers.contains($0)
            }
            let after = words[(keyword + 1)...].first { !kinds.contains($0) }
            guard before, let module = after?.split(separator: ".").first else { return nil }
            return ImportLine(module: String(module), line: index)
        }
    }

    private static let modifiers: Set<Substring> = [
        "package", "public", "internal", "private", "fileprivate",
    ]
    private static let kinds: Set<Substring> = [
        "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
    ]
}

/// A manifest for controls: one target in most rooms.
private let smallManifest = """
    let all = [
     library("SecretMemory", in: "Sources/System", []),
     library("Rules", in: "Sources/Core", []),
     library("Pages", in: "Sources/Core", []),
     library("Work", in: "Sources/Components", ["Rules"]),
     library("OtherWork", in: "Sources/Components", ["Rules"]),
     library("VaultStore", in: "Sources/Adapters", ["COpenSSL", "CBPF"]),
     program("cloudtaser-wrapper", in: "Sources/Executables", ["Work", "VaultStore"]),
     program("cloudtaser", in: "Sources/Executables", ["Pages", "Simulation"]),
     systemLibrary("COpenSSL", pkgConfig: "libssl", apt: "libssl-dev"),
     cTarget("CLinux", path: "Sources/System/CLinux"),
     cTarget("CSimulationHooks", path: "Sources/System/CSimulationHooks"),
     .target(name: "Simulation", dependencies: ["Rules"], path: "Simulation"),
     tests("RulesTests", ["Rules"]),
    ]
    """

let importRules = [
    Rule(
        name: "A room imports only the rooms below it",
        control: [
            "Package.swift": smallManifest,
            "Sources/Core/Rules/A.swift": "import SecretMemory\nimport Glibc\nimport Work\n",
            "Sources/Core/Pages/A.swift": "import Rules\n// import Work\n",
            "Sources/Components/Work/A.swift":
                "import OtherWork\n@preconcurrency import VaultStore\npackage import Rules\n",
            "Sources/Adapters/VaultStore/A.swift": "import Glibc\nimport SQLite\n",
            "Sources/Executables/cloudtaser/A.swift": "import Simulation\nimport Work\n",
            "Sources/Executables/cloudtaser-wrapper/A.swift": "import Simulation\nimport Work\n",
            "Simulation/A.swift":
                "import VaultStore\nimport struct Work.A\nimport CSimulationHooks\nimport CLinux\n",
            "Tests/RulesTests/A.swift": "import Testing\n@testable import cloudtaser\n",
        ],
        planted: [
            "Sources/Core/Rules/A.swift:2", "Sources/Core/Rules/A.swift:3",
            "Sources/Components/Work/A.swift:1", "Sources/Components/Work/A.swift:2",
            "Sources/Adapters/VaultStore/A.swift:2",
            "Sources/Executables/cloudtaser-wrapper/A.swift:1", "Simulation/A.swift:1",
            "Simulation/A.swift:4",
            "Tests/RulesTests/A.swift:2",
        ],
        check: { repository in
            repository.swiftFiles.flatMap { file in
                ImportLine.all(of: file).compactMap { line in
                    refusal(of: line.module, in: file, repository).map {
                        Finding(file, line: line.line, $0)
                    }
                }
            }
        }),
    Rule(
        name: "An adapter has one third party",
        control: [
            "Package.swift": smallManifest,
            "Sources/Adapters/VaultStore/A.swift": "import COpenSSL\nimport CLinux\n",
            "Sources/Adapters/VaultStore/B.swift": "\nimport CBPF\n",
        ],
        planted: ["Sources/Adapters/VaultStore/B.swift:2"],
        check: { repository in
            var first: [String: String] = [:]
            return repository.swiftFiles.filter { Room(path: $0.path) == .adapters }
                .flatMap { file in
                    ImportLine.all(of: file).compactMap { line -> Finding? in
                        guard let party = House.thirdParties[line.module],
                            let adapter = repository.target(of: file)?.name
                        else { return nil }
                        let own = first[adapter, default: party]
                        first[adapter] = own
                        guard own != party else { return nil }
                        return Finding(
                            file, line: line.line,
                            "\(adapter) may not import \(line.module) (\(party)), it adapts "
                                + "\(own); "
                                + "use an adapter of its own behind a port")
                    }
                }
        }),
    Rule(
        name: "The simulated kernel and its attacks do not know what is expected of them",
        control: [
            "Package.swift": smallManifest,
            "Simulation/World/Kernel/A.swift": "import AttackCatalogue\nlet a = b.expected\n",
            "Simulation/World/Attacks/A.swift": "let a = unexpected\nlet b = c.expected\n",
            "Simulation/Matrix/A.swift": "import AttackCatalogue\nlet a = b.expected\n",
            "Simulation/World/A.swift":
                "let a = \"attack-vectors.json\"\nimport SimulationMatrix\n",
        ],
        planted: [
            "Simulation/World/Kernel/A.swift:1", "Simulation/World/Kernel/A.swift:2",
            "Simulation/World/Attacks/A.swift:2", "Simulation/World/A.swift:1",
            "Simulation/World/A.swift:2",
        ],
        check: { repository in
            // Agreement of a verdict with an expectation that it was read from is no agreement.
            repository.swiftFiles.filter { $0.path.hasPrefix("Simulation/World/") }
                .flatMap { file -> [Finding] in
                    let imports = ImportLine.all(of: file).filter {
                        ["AttackCatalogue", "SimulationMatrix"].contains($0.module)
                    }.map(\.line)
                    let reads = file.lines(with: ".expected")
                    let names = file.lines.indices.filter {
                        file.lines[$0].contains("attack-vectors.json")
                    }
                    return Set(imports + reads + names).map {
                        Finding(
                            file, line: $0,
                            "the simulated world may not read expected verdicts, use "
                                + "Simulation/Matrix to compare")
                    }
                }
        }),
    Rule(
        name: "Small programs link no large runtime",
        control: [
            "Package.swift": smallManifest,
            "Sources/Adapters/VaultStore/A.swift": "import FoundationEssentials\nimport Glibc\n",
            "Sources/Core/Rules/A.swift": "private import Dispatch\n",
            "Sources/Core/Pages/A.swift": "import Foundation\n",
            "Sources/Components/Work/A.swift": "import NIOPosix\n",
        ],
        planted: [
            "Sources/Adapters/VaultStore/A.swift:1", "Sources/Core/Rules/A.swift:1",
            "Sources/Components/Work/A.swift:1",
        ],
        check: { repository in
            imports(
                of: House.largeModules, in: House.smallPrograms, repository,
                "it is linked into a static program; use the standard library, CLinux or Glibc")
        }),
    Rule(
        name: "The tool that simulates links no NIO",
        control: [
            "Package.swift": smallManifest,
            "Sources/Core/Pages/A.swift": "import NIOCore\nimport Foundation\n",
            "Sources/Components/Work/A.swift": "import NIOPosix\n",
        ],
        planted: ["Sources/Core/Pages/A.swift:1"],
        check: { repository in
            imports(
                of: ["NIO", "AsyncHTTPClient"], in: [House.simulatorProgram], repository,
                "its release build would take a quarter of an hour; use CurlHTTP")
        }),
]

/// Imports of modules that begin with one of `prefixes` in what `programs` link.
private func imports(
    of prefixes: [String], in programs: [String], _ repository: Repository, _ reason: String
) -> [Finding] {
    let closure = repository.manifest.closure(of: programs)
    return repository.swiftFiles.flatMap { file -> [Finding] in
        guard let target = repository.target(of: file), closure.contains(target.name) else {
            return []
        }
        return ImportLine.all(of: file).filter { line in
            prefixes.contains { line.module.hasPrefix($0) }
        }.map {
            Finding(
                file, line: $0.line,
                "\(target.name) may not import \($0.module), \(reason)")
        }
    }
}

/// What is wrong with `module` in `file`, nil when nothing is.
private func refusal(of module: String, in file: SourceFile, _ repository: Repository) -> String? {
    guard let room = Room(path: file.path), let own = repository.target(of: file) else {
        return nil
    }
    guard !House.standardLibrary.contains(module), module != House.secretMemory,
        module != own.name
    else { return nil }
    guard let imported = repository.manifest.target(named: module),
        let theirs = Room(path: imported.path + "/")
    else {
        let isEncoder = House.encoders.contains(own.name) && module == "Foundation"
        guard !room.mayImportFromOutside.contains(module), !isEncoder else { return nil }
        let allowed = room.mayImportFromOutside.sorted().joined(separator: ", ")
        return "\(room.folder) may not import \(module), use "
            + (allowed.isEmpty ? "the standard library" : allowed) + " or an adapter"
    }
    guard !imported.isProgram else {
        return "\(own.name) may not import \(module), a program is imported by nobody; "
            + "use a library for what is shared"
    }
    if theirs == .simulation, own.name == House.simulatorProgram { return nil }
    if room == .simulation, module == House.simulatorHooks { return nil }
    let isSibling = theirs == room && (room == .adapters || room == .components)
    guard room.mayImport.contains(theirs), !isSibling else {
        return "\(own.name) may not import \(module), \(room.folder) is not above "
            + "\(theirs.folder); use a port or move what is shared to Sources/Core"
    }
    return nil
}
