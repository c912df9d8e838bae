// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import CBPFPrograms
import Enforcement
import EnforcementEvents
import Ports
import Testing

@testable import LibbpfKernel

/// What the kernel does with the programs is tested in vm-tests.
@Suite struct `The programs' adapter` {
    @Test(arguments: EnforcementTier.forms)
    func `says that it is not permitted where the kernel refuses`(_ tier: EnforcementTier) {
        // A host may refuse LSM and tracing programs to everybody (EPERM) and take raw tracepoints;
        // one that takes them has the programs attached, and hooks to show. Without a policy they
        // judge nothing.
        do throws(EnforcementFailure) {
            let kernel = try LibbpfKernel(tier: tier)
            #expect(!kernel.hooks.isEmpty && kernel.tier == tier)
            if tier == .signal { #expect(kernel.hooks == ["sys_enter", "sys_exit"]) }
        } catch { #expect(error == .notPermitted) }
    }

    @Test func `tells an error of bpf(2) by its number`() {
        func failure(_ result: Int32) -> EnforcementFailure? {
            do throws(EnforcementFailure) {
                try LibbpfKernel.check(result, "bpf")
                return nil
            } catch { return error }
        }
        #expect(failure(0) == nil && failure(7) == nil)
        #expect(failure(-1) == .notPermitted && failure(-13) == .notPermitted)
        #expect(failure(-12) == .systemCall("bpf", errorNumber: 12))
    }
}

@Suite struct `A record of the programs` {
    private static func event() -> cbpf_event {
        var event = cbpf_event()
        event.time = 1
        event.sequence = 2
        event.suppressed = 3
        event.detail = 4
        event.processor = 5
        event.generation = 6
        event.vector = 8
        event.hook = UInt8(CBPF_HOOK_PTRACE_ACCESS_CHECK.rawValue)
        event.tier = UInt8(CBPF_TIER_LSM.rawValue)
        event.verdict = UInt8(CBPF_DENIED.rawValue)
        event.actor = process(10, "gdb")
        event.target = process(20, "payments")
        fill(&event.object, "mem")
        return event
    }

    private static func process(_ base: Int32, _ name: String) -> cbpf_process {
        var process = cbpf_process()
        process.thread = base
        process.group = base + 1
        process.started = UInt64(base) + 2
        process.executable_inode = UInt64(base) + 3
        process.executable_device = UInt32(base) + 4
        process.cgroup = UInt64(base) + 5
        process.capabilities = UInt64(base) + 6
        process.user = UInt32(base) + 7
        process.enrolment = UInt32(base) + 8
        process.flags = 1
        fill(&process.name, name)
        return process
    }

    private static func fill<Tuple>(_ characters: inout Tuple, _ text: String) {
        withUnsafeMutableBytes(of: &characters) { bytes in
            bytes.copyBytes(from: text.utf8.prefix(bytes.count))
        }
    }

    private static func converted(_ base: Int32, _ name: String) -> EnforcementProcess {
        EnforcementProcess(
            thread: base, group: base + 1, started: UInt64(base) + 2,
            executableInode: UInt64(base) + 3, executableDevice: UInt32(base) + 4,
            cgroup: UInt64(base) + 5, capabilities: UInt64(base) + 6, user: UInt32(base) + 7,
            enrolment: UInt32(base) + 8, role: .wrapper, name: Array(name.utf8))
    }

    @Test func `is converted field by field`() throws {
        var event = Self.event()
        let vector = try #require(VectorNumber("AV-008"))
        func expected(_ target: EnforcementProcess?) -> EnforcementRecord {
            EnforcementRecord(
                time: 1, processor: 5, sequence: 2, suppressed: 3, vector: vector,
                hook: "ptrace_access_check", tier: .lsm, verdict: .denied, detail: 4,
                policyGeneration: 6, actor: Self.converted(10, "gdb"), target: target,
                object: Array("mem".utf8))
        }
        #expect(EnforcementRecord(event) == expected(nil))
        event.has_target = 1
        #expect(EnforcementRecord(event) == expected(Self.converted(20, "payments")))
    }

    @Test func `has every hook's name`() {
        var names: Set<String> = []
        // From the first to the last of `enum cbpf_hook`.
        let hooks =
            Array(CBPF_HOOK_PTRACE_ACCESS_CHECK.rawValue...CBPF_HOOK_FILE_SEND_SIGIOTASK.rawValue)
            + [CBPF_HOOK_SYS_ENTER, CBPF_HOOK_SYS_EXIT, CBPF_HOOK_SYSTEM_CALL].map(\.rawValue)
        for hook in hooks {
            var event = Self.event()
            event.hook = UInt8(hook)
            let record = EnforcementRecord(event)
            #expect(record != nil, "hook \(hook)")
            names.insert(record?.hook ?? "")
        }
        #expect(names.count == hooks.count && !names.contains { $0.hasPrefix("hook ") })
        #expect(names.contains("move_mount") && names.contains("bpf_map"))
    }

    /// Programs of a newer build that run still: their records are told, not dropped.
    @Test func `names a hook that is not known by its number`() {
        var event = Self.event()
        event.hook = UInt8(CBPF_HOOK_FILE_SEND_SIGIOTASK.rawValue + 1)
        #expect(
            EnforcementRecord(event)?.hook == "hook \(CBPF_HOOK_FILE_SEND_SIGIOTASK.rawValue + 1)")
    }

    @Test func `is none with a tier, verdict or vector that is not known`() {
        for change: (inout cbpf_event) -> Void in [
            { $0.tier = 0 }, { $0.tier = 5 }, { $0.tier = .max }, { $0.verdict = 0 },
            { $0.verdict = 4 },
            { $0.verdict = .max }, { $0.vector = 0 }, { $0.vector = 1000 }, { $0.vector = .max },
        ] {
            var event = Self.event()
            change(&event)
            #expect(EnforcementRecord(event) == nil)
        }
    }

    @Test func `has each tier and verdict`() {
        let tiers: [(UInt32, EnforcementTier)] = [
            (CBPF_TIER_LSM.rawValue, .lsm), (CBPF_TIER_MODIFY_RETURN.rawValue, .modifyReturn),
            (CBPF_TIER_SYSTEM_CALL.rawValue, .systemCall), (CBPF_TIER_SIGNAL.rawValue, .signal),
        ]
        let verdicts: [(UInt32, EventVerdict)] = [
            (CBPF_OBSERVED.rawValue, .observed), (CBPF_DENIED.rawValue, .denied),
            (CBPF_KILLED.rawValue, .killed),
        ]
        for (number, tier) in tiers {
            var event = Self.event()
            event.tier = UInt8(number)
            #expect(EnforcementRecord(event)?.tier == tier)
        }
        for (number, verdict) in verdicts {
            var event = Self.event()
            event.verdict = UInt8(number)
            #expect(EnforcementRecord(event)?.verdict == verdict)
        }
        #expect(EnforcementTier.allCases.count == tiers.count)
        #expect(EventVerdict.allCases.count == verdicts.count)
    }

    @Test func `has names up to their first zero, and all bytes where none is`() {
        var event = Self.event()
        let longest = String(repeating: "n", count: Int(CBPF_NAME_BYTES))
        Self.fill(&event.actor.name, longest)
        let object = String(repeating: "o", count: Int(CBPF_OBJECT_BYTES))
        Self.fill(&event.object, object)
        #expect(EnforcementRecord(event)?.actor.name == Array(longest.utf8))
        #expect(EnforcementRecord(event)?.object == Array(object.utf8))
        Self.fill(&event.actor.name, "a\0b")
        Self.fill(&event.object, "\0")
        #expect(EnforcementRecord(event)?.actor.name == Array("a".utf8))
        #expect(EnforcementRecord(event)?.object == [])
        // No UTF-8: bytes that the attacker chose stay bytes.
        event.actor.name.0 = -1
        #expect(EnforcementRecord(event)?.actor.name.first == 0xff)
    }

    @Test func `is of a program that has room for every vector and action`() {
        for vector in EnforcedVector.all {
            #expect(Int32(vector.number.rawValue) < CBPF_VECTORS_MAX)
        }
        #expect(VectorNumber.harmlessLoad.rawValue == UInt16(CBPF_VECTOR_HARMLESS_LOAD))
        #expect(UInt32(EnforcementAction.allow.rawValue) == CBPF_ALLOW.rawValue)
        #expect(UInt32(EnforcementAction.detect.rawValue) == CBPF_DETECT.rawValue)
        #expect(UInt32(EnforcementAction.deny.rawValue) == CBPF_DENY.rawValue)
        #expect(UInt32(EnforcementAction.denyAndKill.rawValue) == CBPF_DENY_AND_KILL.rawValue)
        #expect(EnrolledRole.wrapper.rawValue == CBPF_TASK_WRAPPER.rawValue)
        #expect(EnrolledRole.agent.rawValue == CBPF_TASK_AGENT.rawValue)
        #expect(EnrolledRole.victim.rawValue == CBPF_TASK_VICTIM.rawValue)
    }
}
