// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import EnforcementEvents
import EventIntegrity
import Foundation

struct Events: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the agent's event log.",
        discussion: "Example:\n  cloudtaser events verify /var/log/cloudtaser/events.jsonl",
        subcommands: [EventsVerify.self])
}

struct EventsVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Look for what was changed, removed, swapped or put into an event log.",
        discussion: """
            Examples:
              cloudtaser events verify /var/log/cloudtaser/events.jsonl
              cloudtaser events verify --public-key node.pub /var/log/cloudtaser/events.jsonl
              cloudtaser events verify --json collected/node-1.jsonl collected/node-2.jsonl
              cloudtaser events verify --last 0f3c…:812:9a41… /var/log/cloudtaser/events.jsonl

            FILE stands for itself and for the files next to it that were rotated away (FILE.1,
            FILE.2 …), read from the oldest on. Without --public-key no signature is checked: who
            can write the log can then make it anew. That whole lines are missing at its end is
            seen only with --last. See docs/reference/events.md.

            \(Exit.help)
            """)

    @Argument(help: "Event logs, native or OCSF; each is a chain of its own.")
    var files: [String]
    @Option(
        help: """
            File of an Ed25519 public key that signs checkpoints (PEM, 64 hexadecimal digits, or \
            Base64 as transit exports it); repeated for several keys.
            """)
    var publicKey: [String] = []
    @Option(help: "Name of the sink that wrote the log: its own losses explain missing lines.")
    var sink = "file"
    @Option(help: "Most lines that may lie between two checkpoints; any number when not given.")
    var checkpointLines: UInt64?
    @Option(
        help: """
            The last line that was written, SEGMENT:INDEX:HASH, as the agent's /status has it \
            under "chain" or another copy of the log ends.
            """)
    var last: String?
    @Flag(help: "Print the result as one JSON object.")
    var json = false

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("name at least one FILE") }
        if let last, EventLink(place: last) == nil {
            throw ValidationError("--last is SEGMENT:INDEX:HASH, not '\(last)'")
        }
    }

    func run() throws {
        let keys = try publicKey.map { try Self.key(at: $0) }
        let results = try EventLogFiles.logs(files).map { log in
            keys.isEmpty
                ? try result(of: log, UncheckedSignatures(), isChecked: false)
                : try result(of: log, TrustedCheckpointKeys(publicKeys: keys), isChecked: true)
        }
        try Terminal.print(json ? try EventLogResult.json(results) : EventLogResult.text(results))
        if let broken = results.first(where: { !$0.isWhole }) {
            throw Findings(description: "\(broken.path): \(broken.findingsTotal) findings")
        }
    }

    private func result(
        of log: EventLogFiles, _ signatures: some CheckpointVerifier, isChecked: Bool
    ) throws -> EventLogResult {
        var verifier = EventChainVerifier(
            hasher: OpenSSLEventHasher(), signatures: signatures,
            policy: .init(
                sink: sink, checkpointLinesMax: checkpointLines,
                expectedLast: last.flatMap { EventLink(place: $0) }))
        var starts: [(path: String, line: UInt64)] = []
        var line: UInt64 = 1
        for path in log.files {
            starts.append((path, line))
            let data = try Folder.data(at: path)
            for part in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            where part.endIndex != data.endIndex || !part.isEmpty {
                verifier.read(EventEncoding.chainLine(in: Array(part)))
                line += 1
            }
        }
        return EventLogResult(
            log: log, starts: starts, report: verifier.finish(), isSignatureChecked: isChecked)
    }

    private static func key(at path: String) throws -> [UInt8] {
        guard let key = TrustedCheckpointKeys.publicKey(ofFile: [UInt8](try Folder.data(at: path)))
        else {
            throw OperationalError(
                description: "\(path): no Ed25519 public key. Make one from the private key with "
                    + "`openssl pkey -in KEY -pubout`.")
        }
        return key
    }
}
