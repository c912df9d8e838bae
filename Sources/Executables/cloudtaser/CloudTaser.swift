// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Glibc

/// How this program ends.
enum Exit: Int32, CaseIterable {
    case clean = 0
    case operational = 1
    case usage = 2
    case findings = 3
    case incomplete = 4

    static let help = """
        Exit codes: 0 clean · 1 something could not be read or written ·
        2 wrong usage · 3 findings · 4 not everything could be looked at.
        """
}

/// What was looked for was found: the answer is printed, and the program ends with 3.
struct Findings: Error, CustomStringConvertible {
    let description: String
}

/// The answer is printed, and parts of what was to be looked at are not in it.
struct Incomplete: Error, CustomStringConvertible {
    let description: String
}

/// Another program failed, has said why, and gives its exit code to this one.
struct OuterFailure: Error {
    let status: Int32
}

/// An operational error: what happened, to what, and what to do.
struct OperationalError: Error, CustomStringConvertible {
    let description: String
}

enum Terminal {
    /// All of it, or an error: `Swift.print` says nothing of a disk that is full, and `FileHandle`
    /// ends the program there.
    static func print(_ text: String, terminator: String = "\n") throws {
        try write((text + terminator).utf8)
    }

    /// As `print`, of bytes.
    static func write(_ bytes: some Sequence<UInt8>) throws {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
            }
            if count < 0 {
                guard errno == EINTR else {
                    let reason = String(cString: strerror(errno)).lowercased()
                    throw OperationalError(
                        description: "standard output: cannot be written (\(reason))")
                }
            } else {
                rest = rest.dropFirst(count)
            }
        }
    }

    static func error(_ text: String) {
        // Where nobody can be told, the exit code still says it.
        try? FileHandle.standardError.write(contentsOf: Data("\(text)\n".utf8))
    }
}

struct CloudTaser: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cloudtaser",
        abstract: "Find what is exposed, install, validate, watch over and prove protection.",
        discussion: """
            Examples:
              cloudtaser doctor
              helm template ./chart | cloudtaser discover -
              cloudtaser install --apply
              cloudtaser validate manifests/ policy.yaml
              cloudtaser status
              kubectl get pods,secrets,nodes -A -o json | cloudtaser audit -
              cloudtaser netpol manifests/ --vault-address https://10.0.0.5:8200
              cloudtaser evidence report --records build/evidence
              cloudtaser events verify /var/log/cloudtaser/events.jsonl
              cloudtaser explain CT3001
              cloudtaser simulate --seeds 1000

            \(Exit.help)
            """,
        version: Version.line,
        subcommands: [
            AuditCommand.self, CompletionCommand.self, Demo.self, Discover.self,
            DoctorCommand.self, Evidence.self, Events.self, Explain.self, InstallCommand.self,
            Netpol.self, Reference.self, S3Command.self, Simulate.self, SimulateWorker.self,
            StatusCommand.self, ValidateCommand.self, Version.self,
        ])
}

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the version.", discussion: "Example:\n  cloudtaser version")

    /// Raised with each release; nothing is released yet.
    static let version = "0.1.0"
    static let line = "cloudtaser \(version)"

    func run() throws {
        try Terminal.print(Self.line)
    }
}
