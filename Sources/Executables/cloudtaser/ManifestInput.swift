// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Inventory
import KubernetesFormat
import ManifestFiles

/// What `discover` and `audit` read and how they answer.
struct ManifestInput: ParsableArguments {
    static let help = """
        FILE is YAML or JSON with any number of objects or lists, a folder of such
        files, or - for standard input. Nothing is written, and no value of a Secret
        is printed or kept.
        """

    enum Output: String, CaseIterable, ExpressibleByArgument { case text, json }

    @Argument(help: "Files, folders, or - for standard input.")
    var files: [String] = []
    @Option(name: [.customShort("o"), .customLong("output")], help: "text (a table) or json.")
    var output = Output.text
    @Option(help: "End with 3 when a finding weighs this much: \(Self.severities).")
    var failOn: FindingSeverity?

    private static let severities = FindingSeverity.allCases.map(\.rawValue).joined(separator: ", ")

    func validate() throws {
        guard !files.isEmpty else {
            throw ValidationError(
                "name a FILE, a folder, or - for what `kubectl get -o json` prints")
        }
    }

    func inventory() throws -> Inventory {
        var manifests = Manifests()
        for file in files {
            do throws(Manifests.Failure) { try manifests.read(file) } catch {
                throw OperationalError(description: error.message)
            }
        }
        return Inventory(manifests.objects, unread: manifests.unread)
    }

    /// Prints the answer; ends with what was found, or that not everything was read.
    func conclude(
        text: String, json: JSONTree, isReached: (FindingSeverity) -> Bool, unreadCount: Int
    ) throws {
        switch output {
        case .text: print(text)
        case .json: print(String(decoding: json.rendered(), as: UTF8.self))
        }
        if let failOn, isReached(failOn) {
            throw Findings(description: "findings of severity \(failOn.rawValue) or more")
        }
        guard unreadCount == 0 else {
            throw Incomplete(description: "\(unreadCount) objects could not be read")
        }
    }
}

extension FindingSeverity: ExpressibleByArgument {}
