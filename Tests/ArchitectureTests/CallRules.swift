// SPDX-License-Identifier: Apache-2.0

/// A call that a room may not make.
private struct BannedCall {
    let text: String
    let instead: String
}

/// Time, randomness, tasks and the environment are inputs above the adapters.
private let ambient = [
    BannedCall(text: "Task {", instead: "structured concurrency"),
    BannedCall(text: "Task.detached", instead: "structured concurrency"),
    BannedCall(text: "Task.sleep", instead: "the clock that is handed in"),
    BannedCall(text: "Task(priority", instead: "structured concurrency"),
    BannedCall(text: "Task(operation", instead: "structured concurrency"),
    BannedCall(text: "@MainActor", instead: "a value with its own state"),
    BannedCall(text: "Date()", instead: "a time that is handed in"),
    BannedCall(text: "ContinuousClock", instead: "the clock that is handed in"),
    BannedCall(text: "SuspendingClock", instead: "the clock that is handed in"),
    BannedCall(text: ".shuffled()", instead: "randomness that is handed in"),
    BannedCall(text: ".randomElement()", instead: "randomness that is handed in"),
    BannedCall(text: ".random()", instead: "randomness that is handed in"),
    BannedCall(text: "SystemRandomNumberGenerator", instead: "randomness that is handed in"),
    BannedCall(text: ".random(in:", instead: "randomness that is handed in"),
    BannedCall(text: "getenv(", instead: "an environment that is handed in"),
    BannedCall(text: "ProcessInfo", instead: "an environment that is handed in"),
    BannedCall(text: "FileManager", instead: "a port; Core does no I/O"),
]

let callRules = [
    Rule(
        name: "Core, ports, components and simulations use no ambient time, randomness or tasks",
        control: [
            "Sources/Core/A/A.swift": """
            let a = Int.random(in: 0...1)
            // Date() in a comment, and "Date()" in a string:
            let b = "Date()"
            let c = Date()
            """,
            "Sources/Components/A/A.swift": "func a() {\n    Task { }\n}\n",
            "Sources/Ports/A.swift": "@MainActor protocol A {}\n",
            "Sources/Adapters/A/A.swift": "let a = getenv(name)\n",
            "Simulation/World/A.swift": "func a() async {\n    await Task.sleep(b)\n}\n",
        ],
        planted: [
            "Sources/Core/A/A.swift:1", "Sources/Core/A/A.swift:4",
            "Simulation/World/A.swift:2",
            "Sources/Components/A/A.swift:2", "Sources/Ports/A.swift:1",
        ],
        check: {
            calls(ambient, in: $0) { [.core, .ports, .components, .simulation].contains($0) }
        }),
    Rule(
        name: "Only programs and tests print",
        control: [
            "Sources/Core/A/A.swift": "func a() {\n    print(1)\n    reprint(2)\n}\n",
            "Sources/Adapters/A/A.swift": "let a = debugPrint(1)\n",
            "Sources/Executables/a/main.swift": "print(1)\n",
        ],
        planted: ["Sources/Core/A/A.swift:2", "Sources/Adapters/A/A.swift:1"],
        check: { repository in
            let printing = ["print(", "debugPrint(", "dump("].map {
                BannedCall(text: $0, instead: "a value that the program prints")
            }
            return calls(printing, in: repository) {
                [.core, .ports, .components, .adapters, .system, .simulation].contains($0)
            }
        }),
    Rule(
        name: "Small programs use no tasks",
        control: [
            "Package.swift": """
            let all = [library("A", in: "Sources/Adapters"),
             library("B", in: "Sources/Core"),
             program("cloudtaser-wrapper", in: "Sources/Executables", ["A"])]
            """,
            "Sources/Adapters/A/A.swift": "func a() {\n    await b()\n}\n",
            "Sources/Core/B/B.swift": "func a() async {}\n",
        ],
        planted: ["Sources/Adapters/A/A.swift:2"],
        check: { repository in
            let closure = repository.manifest.closure(of: ["cloudtaser-wrapper"])
            let tasks = ["await ", "async ", "Task "].map {
                BannedCall(text: $0, instead: "plain calls on the one thread")
            }
            return calls(tasks, in: repository, target: closure.contains) { $0 != .tests }
        }),
    Rule(
        name: "No test is switched off",
        control: [
            "Tests/A/A.swift": "@Test(.disabled(a)) func b() {\n    withKnownIssue { c() }\n}\n",
            "Tests/A/B.swift": "@Test(.enabled(if: server.isNamed)) func a() {}\n",
        ],
        planted: ["Tests/A/A.swift:1", "Tests/A/A.swift:2"],
        check: { repository in
            let skips = [".disabled(", "withKnownIssue"].map {
                BannedCall(text: $0, instead: "a test that asserts what is true here")
            }
            return calls(skips, in: repository) { $0 == .tests }
        }),
    Rule(
        name: "Nothing outside tests may trap on a value it expects",
        control: [
            "Sources/Core/A/A.swift": """
            let a = b!
            let c = !d && e != f
            let g = try! h()
            let i = j as! K
            var l: M!
            let n = "o! \\(p)" // q!
            #if !os(Linux)
            """,
            "Tests/A/A.swift": "let a = b!\n",
        ],
        planted: [1, 3, 4, 5].map { "Sources/Core/A/A.swift:\($0)" },
        check: { repository in
            repository.swiftFiles.filter { file in
                let room = Room(path: file.path)
                return room != .tests && room != .machines
            }.flatMap { file in
                file.lines(with: "!").filter { traps(file.code[$0]) }.map {
                    Finding(
                        file, line: $0,
                        "code may not unwrap, try or cast by force, use guard, throws or as?")
                }
            }
        }),
]

private func calls(
    _ banned: [BannedCall], in repository: Repository,
    target isMeant: (String) -> Bool = { _ in true }, rooms isIn: (Room) -> Bool
) -> [Finding] {
    repository.swiftFiles.flatMap { file -> [Finding] in
        guard let room = Room(path: file.path), isIn(room) else { return [] }
        guard isMeant(repository.target(of: file)?.name ?? "") else { return [] }
        return banned.flatMap { call in
            file.lines(with: call.text).filter { calls(call.text, on: file.code[$0]) }.map {
                Finding(
                    file, line: $0,
                    "\(room.folder) may not use \(call.text.trimmed), use \(call.instead)")
            }
        }
    }
}

/// Whether `text` stands on `line` as a word of its own: `print(`, not `reprint(`.
private func calls(_ text: String, on line: String) -> Bool {
    line.ranges(of: text).contains { range in
        guard range.lowerBound > line.startIndex, text.first?.isLetter == true else { return true }
        let before = line[line.index(before: range.lowerBound)]
        return !before.isLetter && !before.isNumber && before != "_"
    }
}

/// Whether `line` has a `!` right after a name or a closing bracket that is not `!=`.
private func traps(_ line: String) -> Bool {
    let bytes = Array(line.utf8)
    return bytes.indices.contains { index in
        guard bytes[index] == UInt8(ascii: "!"), index > 0 else { return false }
        if index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "=") { return false }
        let before = Character(Unicode.Scalar(bytes[index - 1]))
        return before.isLetter || before.isNumber || "_)]}`?".contains(before)
    }
}
