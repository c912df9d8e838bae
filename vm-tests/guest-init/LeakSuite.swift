// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AgentProtocol
import AttackPrograms
import CLinux
import Destinations
import Enforcement
import EnforcementEvents
@preconcurrency import Glibc
import LibbpfKernel

/// What a protected process lets out by itself: each channel is blocked, or exposed for a reason.
/// With the better form of program that denies here.
struct LeakSuite {
    private static let needleIndex: UInt64 = 95

    let host: Host
    let seed: UInt64
    let profile: KernelProfile

    func run() {
        for tier in EnforcementTier.denying {
            do throws(EnforcementFailure) {
                var guarded = try GuardedKernel(tier: tier)
                guard guarded.works() else { continue }
                guard guarded.kernel.canScan else {
                    report(
                        "VM-EBPF-07", "\(tier.word): not scanned here",
                        "hooks: \(guarded.kernel.hooks.count)", !profile.hasBPFLoop, "", true)
                    return
                }
                return run(&guarded, tier)
            } catch {
                report("VM-EBPF-07", tier.word, "\(error)", false, "", true)
            }
        }
    }

    private func report(
        _ id: String, _ name: String, _ seen: String, _ expected: Bool, _ control: String,
        _ controlPassed: Bool
    ) {
        host.report(
            CaseResult(
                id: id, name: "leaks: \(name)", observation: seen, expected: expected,
                control: control, controlPassed: controlPassed))
    }

    private func run(_ guarded: inout GuardedKernel, _ tier: EnforcementTier) {
        guard let leaker = Leaker(seed: seed, index: Self.needleIndex, profile: profile) else {
            return report("VM-EBPF-07", tier.word, "the leaker did not start", false, "", true)
        }
        defer { leaker.end() }
        var controls: [LeakChannel: String] = [:]
        for channel in LeakChannel.allCases { controls[channel] = leaker.leak(channel) }
        _ = guarded.enrol(leaker.process.pid)
        do throws(EnforcementFailure) {
            try guarded.scan(leaker.request)
            for (mode, policy) in Self.policies {
                try guarded.set(policy)
                for channel in LeakChannel.allCases {
                    guarded.openBooks()
                    let seen = leaker.leak(channel)
                    judge(
                        channel, "\(mode), \(tier.word)", seen, guarded.closeBooks(),
                        controls[channel] ?? "")
                }
            }
        } catch {
            report("VM-EBPF-07", tier.word, "\(error)", false, "", true)
        }
    }

    /// Rings are allowed here: that a protected process gets none by default is AV-104. So are the
    /// calls that some kernels let be answered: CallSuite.
    private static var policies: [(String, EnforcementPolicy)] {
        let pairs: [(String, EnforcementPolicy)] = [("detect", .detecting), ("deny", .enforcing)]
        return pairs.compactMap { name, policy in
            var changed = policy
            for vector in [93, 94, 95, 104].compactMap({ VectorNumber($0) }) {
                do throws(EnforcementPolicyFailure) {
                    changed = try changed.setting(vector, to: .allow)
                } catch { return nil }
            }
            return (name, changed)
        }
    }

    private func judge(
        _ channel: LeakChannel, _ mode: String, _ seen: String, _ books: Books, _ control: String
    ) {
        let expectation = LeakExpectation(channel, release: profile.release)
        let denies = mode.hasPrefix("deny")
        let wanted = expectation.vector
        let records = wanted.map { books.records(of: $0) } ?? []
        let others = books.records.filter { $0.vector != wanted }
        let isTold =
            wanted == nil
            ? records.isEmpty
            : !records.isEmpty
                && records.allSatisfy { $0.verdict == (denies ? .denied : .observed) }
        let isBlocked = seen == "refused \(EPERM)"
        let isRight = wanted != nil && denies ? isBlocked : seen.hasPrefix("leaked ")
        let reason = expectation.reason.map { "; exposed: \($0)" } ?? ""
        report(
            expectation.id, "\(mode): \(channel.rawValue)",
            "\(seen)\(reason); events: \(records.count)"
                + (others.isEmpty
                    ? "" : ", others: \(others.map { "\($0.vector) \($0.detail >> 24)" })"),
            isRight && isTold && others.isEmpty && books.isBalanced,
            "not protected: \(control)", control.hasPrefix("leaked "))
    }
}

/// What is to be seen of a channel in a protected process.
private struct LeakExpectation {
    /// nil: nobody sees it, for this reason.
    let vector: VectorNumber?
    let reason: String?
    let id: String

    init(_ channel: LeakChannel, release: (major: Int, minor: Int)) {
        let seesPages = (release.major, release.minor) >= (6, 5)
        switch channel {
        case .exclusiveOr, .reversed, .spaced, .packed:
            (vector, reason, id) = (nil, "other bytes than the value's", "LIM-EXFIL-01")
        case .vmsplice, .tee:
            (vector, reason, id) = (nil, "no hook; the wrapper's filter closes it", "LIM-EXFIL-01")
        case .sharedMapping:
            (vector, reason, id) = (nil, "stores to memory are no calls", "LIM-EXFIL-01")
        case .allowedDestination:
            (vector, reason, id) = (nil, "a rule allows it", "VM-EBPF-07")
        case .sendfile, .spliceToSocket:
            let number: UInt16 = channel == .sendfile ? 91 : 92
            vector = seesPages ? VectorNumber(number) : nil
            reason = seesPages ? nil : "before Linux 6.5 pages go past socket_sendmsg"
            id = seesPages ? "VM-EBPF-07" : "LIM-EXFIL-01"
        default: (vector, reason, id) = (Self.vector(of: channel), nil, "VM-EBPF-07")
        }
    }

    private static func vector(of channel: LeakChannel) -> VectorNumber? {
        switch channel {
        case .standardOutput, .standardError: VectorNumber(87)
        case .file, .fileAtOffset, .fileInPieces, .fileInPiecesAtOffset, .pipe, .splitWrites,
            .behind64KiB, .behindLimit, .thousandPieces, .neverTouchedPage:
            VectorNumber(86)
        case .tcpMessages: VectorNumber(89)
        case .udpSecondMessage: VectorNumber(90)
        case .zerocopy: VectorNumber(107)
        case .ringWrite, .ringWriteFixed: VectorNumber(101)
        case .ringSend, .ringSendZerocopy, .ringSendPolled: VectorNumber(102)
        default: VectorNumber(88)
        }
    }
}

/// A running `/init leaker`.
private struct Leaker {
    let process: ChildProcess
    let request: ScanRequest

    init?(seed: UInt64, index: UInt64, profile: KernelProfile) {
        let kind = profile.hasSecretMemory ? "secret" : "plain"
        guard let child = ChildProcess(["leaker", String(seed, radix: 16), String(index), kind]),
            let words = child.readLine()?.split(separator: " "), words.count == 2,
            let address = UInt64(words[0]), let length = Int(words[1]),
            // The same index in this process: its bitmap is the leaker's.
            let page = LeakPage(
                Needle(seed: seed, index: index), multiplier: seed | 1, isSecret: false)
        else { return nil }
        process = child
        do {
            let rule = DestinationRule(
                secret: 0, network: try NetworkPrefix("127.0.0.1"), port: LeakAttack.allowedPort)
            request = try ScanRequest(
                address: address, length: length, rules: [rule], bitmap: page.bitmap)
        } catch {
            kill(child.pid, SIGKILL)
            child.reap()
            return nil
        }
    }

    func leak(_ channel: LeakChannel) -> String {
        process.send(channel.rawValue)
        return process.readLine() ?? "dead"
    }

    func end() {
        kill(process.pid, SIGKILL)
        process.reap()
    }
}
