// SPDX-License-Identifier: Apache-2.0
import EnforcementEvents
import EventIntegrity
import EventPorts
import EventSinks
import Foundation
import TestKit
import Testing

/// A log of 60 lines over four files, signed after every ten lines, as the agent's sink writes it.
private final class RotatedLog {
    let folder = FileManager.default.temporaryDirectory.appending(path: "log-\(UUID().uuidString)")
    let path: String
    private(set) var last: EventLink

    init(encoding: EventEncoding = .native) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let folder = folder.path(percentEncoded: false)
        path = folder + "/events.jsonl"
        let key = folder + "/key"
        _ = try Self.openssl("genpkey", "-algorithm", "ed25519", "-out", key)
        _ = try Self.openssl("pkey", "-in", key, "-pubout", "-out", folder + "/key.pub")
        _ = try Self.openssl("genpkey", "-algorithm", "ed25519", "-out", folder + "/other")
        _ = try Self.openssl(
            "pkey", "-in", folder + "/other", "-pubout", "-out",
            folder + "/other.pub")
        chmod(key, 0o600)
        let signer = try FileCheckpointSigner(path: key)
        let segment = try #require(EventSegment([UInt8](repeating: 5, count: 16)))
        var chain = EventChain(segment: segment, after: nil, hasher: OpenSSLEventHasher())
        var lines: [EventLine] = []
        for number in 0..<54 {
            let time = EventTime(nanoseconds: 1_790_000_000_000_000_000 + UInt64(number))
            let moment = EnforcementEvent.Moment(
                occurred: time, detected: time, monotonicNanoseconds: 1)
            lines.append(chain.append(EnforcementEvent(.processMemoryRead, time: moment)))
            guard number % 9 == 8 else { continue }
            let last = try #require(chain.last)
            let signature = try signer.sign(EventCheckpoint.message(of: last, at: time))
            let signed = chain.appendCheckpoint(
                of: last, at: moment, key: signer.key, signature: signature, policyGeneration: 0)
            lines.append(try #require(signed))
        }
        last = lines[lines.count - 1].link
        let most = lines.prefix(15).reduce(0) { $0 + $1.bytes(as: encoding).count + 1 }
        var sink = FileEventSink(
            settings: .init(path: path, bytesMax: most, filesKept: 9, encoding: encoding))
        #expect(sink.deliver(lines).taken == lines.count)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    static func openssl(_ words: String...) throws -> Int32 {
        try ProgramRun(path: "/usr/bin/openssl", words, environment: [:]).status
    }

    func file(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }

    func lines(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// Writes the file's lines anew after a change.
    func change(_ path: String, _ body: (inout [String]) -> Void) throws {
        var lines = try lines(path)
        body(&lines)
        try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: path))
    }

    func verify(_ words: String...) throws -> ProgramRun {
        try ProgramRun("cloudtaser", ["events", "verify"] + words + [path], environment: [:])
    }
}

@Suite("cloudtaser events verify") struct EventsVerifyTests {
    @Test(arguments: EventEncoding.allCases)
    func `passes what nobody touched, over rotated files`(encoding: EventEncoding) throws {
        let log = try RotatedLog(encoding: encoding)
        let run = try log.verify("--public-key", log.file("key.pub"), "--last", log.last.place)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
        #expect(run.output.contains("60 lines, 0 told as lost, 0 torn by crashes; 6 checkpoints"))
        #expect(run.output.contains("last line \(log.last.place)"))
        #expect(try !log.lines(log.path + ".3").isEmpty, "the log was not rotated")
        let blind = try log.verify()
        #expect(blind.status == 0 && blind.output.contains("signatures not checked"), "\(blind)")
    }

    /// What is done to the log, and what its finding says.
    private static let attacks: [(String, @Sendable (RotatedLog) throws -> Void, String)] = [
        (
            "a flipped byte",
            { log in
                try log.change(log.path + ".2") {
                    $0[3] = $0[3].replacing("PROCMEM_READ", with: "PROCMEM_REAC")
                }
            }, "events.jsonl.2:4: line"
        ),
        (
            "a removed line", { log in try log.change(log.path + ".2") { $0.remove(at: 3) } },
            "events.jsonl.2:4: lines"
        ),
        (
            "swapped lines", { log in try log.change(log.path + ".2") { $0.swapAt(3, 4) } },
            "events.jsonl.2:5: line"
        ),
        (
            "a half line at the end",
            { log in
                let data = try Data(contentsOf: URL(filePath: log.path))
                try data.dropLast(20).write(to: URL(filePath: log.path))
            }, "no whole line of an event log"
        ),
        (
            "a missing file in the middle",
            { log in try FileManager.default.removeItem(atPath: log.path + ".2") },
            "events.jsonl.1:1: lines"
        ),
        (
            "an empty log",
            { log in
                for name in try FileManager.default.contentsOfDirectory(atPath: log.folder.path())
                where name.hasPrefix("events.jsonl.") {
                    try FileManager.default.removeItem(atPath: log.file(name))
                }
                try Data().write(to: URL(filePath: log.path))
            }, "holds no line of an event log"
        ),
    ]

    @Test(arguments: 0..<attacks.count)
    func `ends with 3 and names file and line`(_ number: Int) throws {
        let (name, attack, words) = Self.attacks[number]
        let log = try RotatedLog()
        let key = ["--public-key", log.file("key.pub")]
        #expect(try log.verify(key[0], key[1]).status == 0, "control")
        try attack(log)
        let run = try log.verify(key[0], key[1])
        #expect(run.status == 3 && run.errors.contains("findings"), "\(name): \(run)")
        #expect(run.output.contains(words), "\(name): \(run)")
        #expect(try log.verify().status == 3, "\(name), without a key")
        if name.contains("missing file") {
            #expect(run.output.contains("is a rotated file missing?"))
        }
    }

    @Test func `sees whole lines missing at the end only with the last line's place`() throws {
        let log = try RotatedLog()
        try log.change(log.path) { $0.removeLast(2) }
        #expect(try log.verify("--public-key", log.file("key.pub")).status == 0, "control")
        let run = try log.verify("--last", log.last.place)
        #expect(run.status == 3 && run.output.contains("line 59 was written"), "\(run)")
    }

    @Test func `takes no other key, and says when none signed`() throws {
        let log = try RotatedLog()
        let other = try log.verify("--public-key", log.file("other.pub"))
        #expect(other.status == 3, "\(other)")
        #expect(other.output.contains("checkpoint 9 is not signed with a key that was given"))
        #expect(other.output.contains("no checkpoint is signed with a key that was given"))
        let both = try log.verify(
            "--public-key", log.file("other.pub"), "--public-key", log.file("key.pub"))
        #expect(both.status == 0, "\(both)")
        let sparse = try log.verify("--public-key", log.file("key.pub"), "--checkpoint-lines", "8")
        #expect(sparse.status == 3 && sparse.output.contains("no checkpoint came"), "\(sparse)")
        let enough = try log.verify("--public-key", log.file("key.pub"), "--checkpoint-lines", "9")
        #expect(enough.status == 0, "\(enough)")
    }

    @Test func `reads keys in hexadecimal digits and Base64, too`() throws {
        let log = try RotatedLog()
        let raw = try FileCheckpointSigner(path: log.file("key")).publicKey
        let forms = [
            raw.map { String(format: "%02x", $0) }.joined(), Data(raw).base64EncodedString(),
        ]
        for form in forms {
            try Data((form + "\n").utf8).write(to: URL(filePath: log.file("form")))
            #expect(try log.verify("--public-key", log.file("form")).status == 0, "\(form)")
        }
        for wrong in ["", "x", String(forms[0].dropLast()), String(forms[1].dropLast()) + "A"] {
            try Data(wrong.utf8).write(to: URL(filePath: log.file("form")))
            let run = try log.verify("--public-key", log.file("form"))
            #expect(run.status == 1 && run.errors.contains("openssl pkey"), "\(wrong): \(run)")
        }
    }

    @Test func `gives its result as JSON`() throws {
        struct Document: Decodable {
            struct Log: Decodable {
                struct Finding: Decodable { let file: String, line: Int?, kind: String }
                let lines: Int, checkpoints: Int, findings: [Finding], last: String
            }
            let isWhole: Bool
            let logs: [Log]
        }
        func document(_ run: ProgramRun) throws -> Document {
            try JSONDecoder().decode(Document.self, from: Data(run.output.utf8))
        }
        let log = try RotatedLog()
        let whole = try document(try log.verify("--json", "--public-key", log.file("key.pub")))
        #expect(whole.isWhole && whole.logs[0].lines == 60 && whole.logs[0].checkpoints == 6)
        #expect(whole.logs[0].last == log.last.place)
        try log.change(log.path + ".2") { $0.remove(at: 3) }
        let run = try log.verify("--json")
        let broken = try document(run)
        #expect(run.status == 3 && !broken.isWhole)
        let first = try #require(broken.logs[0].findings.first)
        #expect(first.kind == "removed" && first.line == 4 && first.file == log.path + ".2")
    }

    @Test func `says what it cannot read, and what its arguments are`() throws {
        let log = try RotatedLog()
        func run(_ words: String...) throws -> ProgramRun {
            try ProgramRun("cloudtaser", ["events", "verify"] + words, environment: [:])
        }
        let missing = try run("/nowhere/events.jsonl")
        #expect(missing.status == 1 && missing.errors.contains("/nowhere"), "\(missing)")
        let absent = try run(log.file("none.jsonl"))
        #expect(absent.status == 1 && absent.errors.contains("none.jsonl: cannot be read"))
        #expect(try run().status == 2)
        let last = try run("--last", "7", log.path)
        #expect(last.status == 2 && last.errors.contains("SEGMENT:INDEX:HASH"), "\(last)")
        let help = try run("--help")
        #expect(help.status == 0 && help.output.contains("Examples:"))
        // Rotated files that a pattern of the shell names as well are not read twice.
        let all = try run(log.path + ".2", log.path, log.path + ".1")
        #expect(all.status == 0 && all.output.contains("60 lines"), "\(all)")
    }

    @Test func `tells no more findings than its limit, and how many there are`() throws {
        let log = try RotatedLog()
        let names = try FileManager.default.contentsOfDirectory(
            atPath: log.folder.path(percentEncoded: false))
        for name in names where name.hasPrefix("events.jsonl") {
            try log.change(log.file(name)) { lines in
                for index in lines.indices { lines[index] = "x" + lines[index] }
            }
        }
        let run = try log.verify()
        #expect(run.status == 3 && run.output.contains("61 findings in all"), "\(run)")
        #expect(run.output.split(separator: "\n").count { $0.contains("no whole line") } == 50)
    }
}
