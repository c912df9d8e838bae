// SPDX-License-Identifier: Apache-2.0
import AttackPrograms
import CLinux
import EnforcementEvents
import EventIntegrity
@preconcurrency import Glibc
import LoopbackPKI

/// Checkpoints of the event log that a vault signs, also when it is sealed for a while.
extension AgentSuite {
    /// In steps of 200 ms.
    private static let triesMax = 150
    private static let stepMicroseconds: UInt32 = 200_000

    static func signing(by vault: GuestVault) -> (flags: [String], environment: [String]) {
        let key = "\(VaultProgram.transitMount)/\(VaultProgram.transitKey)"
        return (
            ["--checkpoint-transit", key, "--checkpoint-seconds", "2"],
            vault.loginVariables + ["CLOUDTASER_MINIMUM_TIER=ordinary"]
        )
    }

    /// While the vault is sealed, what is due stays unsigned and the rest goes on; then it comes.
    func sealed(_ agent: pid_t, _ pid: pid_t, _ vault: GuestVault, log path: String) {
        let before = LogCounts(path)
        vault.setSealed(true)
        // A signature that was on its way may still come.
        let isTold = waited { LogCounts(path).failures > 0 }
        let start = LogCounts(path)
        let isTriedAgain = waited { AgentCounts().total(of: Self.unsigned) > 1 }
        let seen = SelfTest.reads(pid)
        let during = LogCounts(path)
        let failures = AgentCounts().total(of: Self.unsigned)
        vault.setSealed(false)
        let isBack = waited { LogCounts(path).checkpoints > during.checkpoints }
        // On a busy machine another one may follow before this is read.
        let (signed, own) = EventLog(path).checkpoint(after: during.checkpoints) ?? (0, 0)
        report(
            "VM-EBPF-10", "the vault that signs checkpoints is sealed",
            "\(failures) not signed, told \(during.failures) times; meanwhile "
                + "\(during.lines - start.lines) lines, \(during.checkpoints - start.checkpoints) "
                + "checkpoints, and a read of environ: \(SystemError.name(of: seen)); unsealed: "
                + "line \(own) signs up to \(signed)\(isBack ? "" : "; " + stateOf(agent))",
            isTold && isTriedAgain && during.failures == 1 && seen == EPERM
                && during.checkpoints == start.checkpoints && during.lines > start.lines
                // Whether lines come while it is signed is chance; EventPipelineTests
                // have them come.
                && isBack && own > signed,
            "before: \(before.checkpoints) checkpoints, \(before.failures) failures",
            before.checkpoints > 0 && before.failures == 0)
    }

    /// For whoever has to find out why no line came.
    private func stateOf(_ agent: pid_t) -> String {
        var descriptors = -1
        if case .success(let names) = TargetProcess.entries("/proc/\(agent)/fd") {
            descriptors = names.count
        }
        let counts = AgentCounts()
        let lines = ["delivered", "lost"].map { word in
            "\(counts.total(of: "sink_\(word)_total{sink=\"file\"}")) \(word)"
        }
        return "the file's lines: \(lines.joined(separator: ", ")); "
            + "\(descriptors) descriptors of the agent"
    }

    private static let verdict = Array(#""denied""#.utf8)
    private static let unsigned = "checkpoints_unsigned_total"

    private func waited(until isSo: () -> Bool) -> Bool {
        for _ in 0..<Self.triesMax {
            if isSo() { return true }
            usleep(Self.stepMicroseconds)
        }
        return false
    }

    /// The log of both agents, by what `cloudtaser events verify` uses.
    func verified(_ vault: GuestVault, log path: String) {
        let log = EventLog(path)
        let verdict = String(decoding: Self.verdict, as: UTF8.self)
        guard case .success(let bytes) = TargetProcess.read(vault.publicKeyFile),
            let key = TrustedCheckpointKeys.publicKey(ofFile: bytes),
            let otherKey = try? Ed25519Signer().publicKey, let first = log.firstAgent,
            let victim = first.lines.firstIndex(where: { EventLog.has(verdict, in: $0) })
        else { return report("VM-EBPF-10", "a vault's checkpoints", "no log", false, "", true) }
        let keys = TrustedCheckpointKeys(publicKeys: [key])
        let whole = log.verified(keys)
        let other = first.verified(TrustedCheckpointKeys(publicKeys: [otherKey]))
        report(
            "VM-EBPF-10", "a vault's checkpoints verify",
            "\(whole.lines) lines, \(whole.checkpoints) checkpoints, \(whole.unsignedLines) lines "
                + "behind the last, findings: \(EventLog.kinds(whole)); failures: \(log.failures)",
            whole.findings.isEmpty && whole.checkpoints > 2 && whole.unsignedLines == 0,
            "with another key: \(EventLog.kinds(other))",
            EventLog.kinds(other) == ["signatureInvalid"])
        // Of the first letter of the verdict.
        let flipped = first.changed(at: victim) { line in
            line[clinux_find(line, line.count, Self.verdict, Self.verdict.count) + 1] ^= 1
        }.verified(keys)
        // With hashes that fit from there on, only the signature is not to be had.
        let anew = first.madeAnew(from: victim) { line in
            Array(
                String(decoding: line, as: UTF8.self)
                    .replacing(verdict, with: #""observed""#).utf8)
        }
        let unchecked = anew.verified(UncheckedSignatures())
        report(
            "VM-EBPF-10", "a log with a flipped bit, and one made anew",
            "flipped: \(EventLog.kinds(flipped)); made anew: "
                + "\(EventLog.kinds(anew.verified(keys)))",
            EventLog.kinds(flipped) == ["changed"]
                && EventLog.kinds(anew.verified(keys)) == ["signatureInvalid"],
            "made anew, for who has no key: \(EventLog.kinds(unchecked)) in "
                + "\(unchecked.lines) lines, \(unchecked.checkpoints) checkpoints",
            unchecked.findings.isEmpty && unchecked.lines == first.lines.count
                && unchecked.checkpoints > 0)
    }
}

/// What is in the log at a moment, without reading it line by line.
private struct LogCounts {
    let lines: Int
    let checkpoints: Int
    let failures: Int

    init(_ path: String) {
        var bytes: [UInt8] = []
        if case .success(let content) = TargetProcess.read(path) { bytes = content }
        lines = Self.count("\n", in: bytes)
        checkpoints = Self.count(EventLog.checkpointMark, in: bytes)
        failures = Self.count("checkpoint not signed: transit/events: sealed", in: bytes)
    }

    private static func count(_ text: String, in bytes: [UInt8]) -> Int {
        let wanted = Array(text.utf8)
        return bytes.withUnsafeBytes { buffer in
            var count = 0
            var start = 0
            while let base = buffer.baseAddress {
                let found = clinux_find(
                    base + start, buffer.count - start, wanted, wanted.count)
                guard found >= 0 else { break }
                count += 1
                start += found + wanted.count
            }
            return count
        }
    }
}

/// Lines that the agent's file sink wrote.
struct EventLog {
    let lines: [[UInt8]]

    init(_ path: String) {
        guard case .success(let bytes) = TargetProcess.read(path) else {
            lines = []
            return
        }
        // A last line without its end is being written.
        lines = bytes.split(separator: UInt8(ascii: "\n")).map { Array($0) }
            .filter { $0.last == UInt8(ascii: "}") }
    }

    private init(lines: [[UInt8]]) { self.lines = lines }

    static func has(_ text: String, in line: [UInt8]) -> Bool {
        let wanted = Array(text.utf8)
        return clinux_find(line, line.count, wanted, wanted.count) >= 0
    }

    static let checkpointMark = "\"type\":\"CHECKPOINT\""

    private static func isCheckpoint(_ line: [UInt8]) -> Bool { has(checkpointMark, in: line) }

    /// Up to the checkpoint that the first agent made at its end.
    var firstAgent: EventLog? {
        let second = lines.lastIndex { Self.has("\"type\":\"AGENT_START\"", in: $0) }
        guard let second, let last = lines[..<second].lastIndex(where: Self.isCheckpoint) else {
            return nil
        }
        return EventLog(lines: Array(lines[...last]))
    }

    /// Indexes of the line that a checkpoint signs and of its own.
    ///
    /// - Parameter count: of checkpoints before it.
    func checkpoint(after count: Int) -> (signed: UInt64, own: UInt64)? {
        guard let line = lines.filter(Self.isCheckpoint).dropFirst(count).first,
            let own = EventLink(ofLine: line)?.index,
            let signed = Self.checkpoint(String(decoding: line, as: UTF8.self))
        else { return nil }
        return (signed, own)
    }

    private static func checkpoint(_ text: String) -> UInt64? {
        guard let start = text.firstRange(of: "\"checkpoint\":{")?.upperBound else { return nil }
        return EventMembers.text("index", of: text[start...]).flatMap { UInt64($0) }
    }

    /// Why checkpoints could not be signed, each reason as often as it was told.
    var failures: [String] {
        lines.filter { Self.has("\"AGENT_FAILURE\"", in: $0) }.compactMap {
            EventMembers.text("reason", of: String(decoding: $0, as: UTF8.self))
        }
    }

    func verified(_ signatures: some CheckpointVerifier) -> EventChainReport {
        var verifier = EventChainVerifier(
            hasher: OpenSSLEventHasher(), signatures: signatures, policy: .init(sink: "file"))
        for line in lines { verifier.read(EventEncoding.chainLine(in: line)) }
        return verifier.finish()
    }

    /// What was found, each kind once, in order.
    static func kinds(_ report: EventChainReport) -> [String] {
        report.findings.reduce(into: []) { kinds, finding in
            let kind = String("\(finding.kind)".prefix { $0 != "(" })
            if !kinds.contains(kind) { kinds.append(kind) }
        }
    }

    func changed(at index: Int, _ change: (inout [UInt8]) -> Void) -> EventLog {
        var lines = lines
        change(&lines[index])
        return EventLog(lines: lines)
    }

    /// The log as somebody writes it anew from a line on who can compute hashes: the changed line,
    /// those behind it with their new predecessors, and checkpoints that name the new hash of the
    /// line that they sign, with the old signature.
    func madeAnew(from start: Int, _ change: ([UInt8]) -> [UInt8]) -> EventLog {
        var lines = lines
        var hashes: [String: String] = [:]
        for index in lines.indices where index >= start {
            guard let link = EventLink(ofLine: lines[index]) else { continue }
            let previous = hashes[link.previous.text] ?? link.previous.text
            let end = "\(link.previous.text)\",\"hash\":\"\(link.hash.text)\"}}"
            var line = Array(lines[index].dropLast(end.utf8.count))
            if index == start { line = change(line) }
            if Self.isCheckpoint(line) {
                var text = String(decoding: line, as: UTF8.self)
                for (old, new) in hashes { text.replace(old, with: new) }
                line = Array(text.utf8)
            }
            line += Array("\(previous)\"".utf8)
            let hash = OpenSSLEventHasher().sha256(line + Array("}}".utf8))
            hashes[link.hash.text] = hash.text
            lines[index] = line + Array(",\"hash\":\"\(hash.text)\"}}".utf8)
        }
        return EventLog(lines: lines)
    }
}
