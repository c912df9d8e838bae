// SPDX-License-Identifier: Apache-2.0

let manifestRules = [
    Rule(
        name: "Package.swift lists what the sources import, no less and no more",
        control: [
            "Package.swift": """
            let all = [
             library("A", in: "Sources/Core", ["B", "C"]),
             library(
                 "B", in: "Sources/Core"),
             library("C", in: "Sources/Core"),
             program("p", in: "Sources/Executables", [
                 "A", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
             tests("ATests", ["A", "p", "victim"]),
             testProgram("victim"),
            ]
            """,
            "Sources/Core/A/A.swift": "import B\n",
            "Sources/Core/B/B.swift": "import C\n",
            "Sources/Core/C/C.swift": "\n",
            "Sources/Executables/p/main.swift": "import A\nimport ArgumentParser\n",
            "Tests/ATests/A.swift": "import A\nimport Testing\n",
        ],
        planted: ["Package.swift:2", "Sources/Core/B/B.swift:1"],
        check: { unusedDependencies($0) + undeclaredImports($0) }),
    Rule(
        name: "Every library of Sources has its folder of tests",
        control: [
            "Package.swift": """
            let all = [
             library("A", in: "Sources/Core"),
             library("B", in: "Sources/Adapters"),
             tests("BTests", ["B"]),
            ]
            """,
            "Sources/Core/A/A.swift": "", "Sources/Adapters/B/B.swift": "",
            "Tests/BTests/B.swift": "",
        ],
        planted: ["Package.swift:2"],
        check: { repository in
            let mirrored = repository.manifest.targets.filter { target in
                let room = Room(path: target.path + "/")
                return room == .core || room == .components || room == .adapters
            }
            return mirrored.filter { repository.manifest.target(named: $0.name + "Tests") == nil }
                .map {
                    Finding(
                        path: "Package.swift", line: $0.line,
                        "\($0.name) may not be without tests, use Tests/\($0.name)Tests")
                }
        }),
]

private func undeclaredImports(_ repository: Repository) -> [Finding] {
    repository.swiftFiles.flatMap { file -> [Finding] in
        guard let target = repository.target(of: file) else { return [] }
        return ImportLine.all(of: file).compactMap { line in
            let isOurs = repository.manifest.target(named: line.module) != nil
            let isDeclared = target.dependencies.contains(line.module)
            guard isOurs, !isDeclared, line.module != target.name else { return nil }
            return Finding(
                file, line: line.line,
                "\(target.name) may not import \(line.module) undeclared, use Package.swift "
                    + "to name it as a dependency")
        }
    }
}

/// A dependency on a program is not an import: it has the program built before the tests run.
private func unusedDependencies(_ repository: Repository) -> [Finding] {
    let filesOf = Dictionary(grouping: repository.swiftFiles) { repository.target(of: $0)?.name }
    return repository.manifest.targets.flatMap { target -> [Finding] in
        guard let files = filesOf[target.name] else { return [] }
        let imported = Set(files.flatMap { ImportLine.all(of: $0).map(\.module) })
        return target.dependencies.filter { name in
            let isProgram = repository.manifest.target(named: name)?.isProgram ?? false
            return !imported.contains(name) && !isProgram
        }.map {
            Finding(
                path: "Package.swift", line: target.line,
                "\(target.name) may not depend on \($0) without importing it, "
                    + "use no dependency or import it")
        }
    }
}
