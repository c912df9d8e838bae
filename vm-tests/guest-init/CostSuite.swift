// SPDX-License-Identifier: Apache-2.0
import AgentPorts
import AgentProtocol
import AttackPrograms
import CBPFPrograms
import Enforcement
@preconcurrency import Glibc
import LibbpfKernel

/// Instructions that ordinary calls take without the agent's programs and with them. For a guest
/// whose time-stamp counter counts instructions.
struct CostSuite {
    static let id = "VM-COST-01"

    let host: Host

    private enum State: String {
        /// Before the programs came, when they were gone again, and while they ran; `scanning`:
        /// in a process of nobody, while another workload is scanned; `floor`: with no program but
        /// one that does nothing, where the scan's programs are asked.
        case before, off, unprotected, protected, scanning, floor

        /// Processes that measure, one after the other. Two where a figure is compared.
        var processes: Int { self == .off || self == .unprotected ? 2 : 1 }
    }

    func run() {
        guard meterWorks() else { return }
        let active = (TargetProcess.text("/sys/kernel/security/lsm") ?? "").contains("bpf")
        let tier: EnforcementTier = active ? .lsm : .modifyReturn
        guard let before = measure(tier, .before), let on = measureGuarded(tier) else { return }
        do throws(EnforcementFailure) { try PinFolder().removeAll() } catch {
            return failed("programs as \(tier.word)", "\(error)")
        }
        // Off comes last: loading programs moves memory about in the kernel, which changes by some
        // instructions what its allocators take afterwards, with programs and without.
        guard let off = measure(tier, .off) else { return }
        measureFloor(tier)
        compare(before: before, on: on, off: off, tier)
    }

    /// Measures while the programs run, in processes of nobody and in protected ones.
    private func measureGuarded(_ tier: EnforcementTier) -> [MeasuredCall: CallCost]? {
        do throws(EnforcementFailure) {
            var guarded = try GuardedKernel(tier: tier)
            guard guarded.works() else {
                failed("programs as \(tier.word)", "attached, and they do not deny")
                return nil
            }
            try guarded.guardItself()
            let on = measure(tier, .unprotected)
            _ = measure(tier, .protected) { guarded.enrol($0.pid).count == 1 }
            if guarded.kernel.canScan {
                try guarded.scan(Self.nothing())
                _ = measure(tier, .scanning)
                guarded.endScan()
            }
            return on
        } catch {
            failed("programs as \(tier.word)", "\(error)")
            return nil
        }
    }

    /// What a read and a write cost with any program at all: entering it, and coming back.
    private func measureFloor(_ tier: EnforcementTier) {
        let form = tier == .lsm ? CBPF_PASS_LSM : CBPF_PASS_MODIFY_RETURN
        let link = cbpf_pass_attach("file_permission", form)
        guard link >= 0 else {
            return failed("a program that does nothing, \(tier.word)", "errno \(-link)")
        }
        defer { close(link) }
        _ = measure(tier, .floor)
    }

    /// A request whose workload writes nothing.
    private static func nothing() throws(EnforcementFailure) -> ScanRequest {
        do throws(ScanRequest.Refusal) {
            return try ScanRequest(
                address: 4096, length: ScanRequest.lengthMin, rules: [],
                bitmap: [UInt8](repeating: 0, count: ScanRequest.bitmapBytes))
        } catch { throw .unsupported(detail: "\(error)") }
    }

    /// Whether a tick of the counter is an instruction.
    private func meterWorks() -> Bool {
        let loop = InstructionMeter.loop()
        let works = loop.twiceMore == loop.instructions
        host.report(
            CaseResult(
                id: Self.id, name: "instructions are counted",
                observation: "a loop of \(loop.instructions) counts \(loop.counted)",
                expected: works,
                control: "one of twice its length counts \(loop.twiceMore) more",
                controlPassed: works))
        return works
    }

    /// Measures in processes of their own and sends the fewest instructions of each call. Nil
    /// unless every call succeeded.
    private func measure(
        _ tier: EnforcementTier, _ state: State,
        prepare: (ChildProcess) -> Bool = { _ in true }
    ) -> [MeasuredCall: CallCost]? {
        var fewest: [MeasuredCall: CallCost] = [:]
        for _ in 0..<state.processes {
            let costs = oneProcess(prepare)
            let missing = MeasuredCall.allCases.filter { call in
                !costs.contains { $0.call == call }
            }
            guard missing.isEmpty else {
                failed(
                    "\(state.rawValue) as \(tier.word)",
                    "not measured: " + missing.map(\.rawValue).joined(separator: ", "))
                return nil
            }
            for cost in costs {
                let earlier = fewest[cost.call]?.instructions ?? Int.max
                if cost.instructions < earlier { fewest[cost.call] = cost }
            }
        }
        for call in MeasuredCall.allCases {
            if let cost = fewest[call] { send(cost, tier, state) }
        }
        return fewest
    }

    private func oneProcess(_ prepare: (ChildProcess) -> Bool) -> [CallCost] {
        guard let child = ChildProcess(["costs"]) else { return [] }
        defer { child.reap() }
        guard prepare(child) else { return [] }
        child.send("measure")
        var found: [CallCost] = []
        while let line = child.readLine(), line != CostProgram.end {
            if let cost = CostProgram.cost(from: line) { found.append(cost) }
        }
        return found
    }

    private func send(_ cost: CallCost, _ tier: EnforcementTier, _ state: State) {
        host.send([
            ("type", .text("cost")), ("form", .text(tier.word)), ("state", .text(state.rawValue)),
            ("call", .text(cost.call.rawValue)), ("calls", .number(cost.calls)),
            ("instructions", .number(cost.instructions)),
        ])
    }

    /// A call without a hook costs what it did; one with a hook shows that programs ran, and that
    /// they ended.
    private func compare(
        before: [MeasuredCall: CallCost], on: [MeasuredCall: CallCost],
        off: [MeasuredCall: CallCost], _ tier: EnforcementTier
    ) {
        func added(_ call: MeasuredCall, _ costs: [MeasuredCall: CallCost]) -> Int {
            let least = off[call]?.instructions ?? 0
            return ((costs[call]?.instructions ?? 0) - least) / call.calls
        }
        host.report(
            CaseResult(
                id: Self.id, name: "calls without a hook, \(tier.word)",
                observation: "getppid takes \(added(.getppid, on)) instructions more",
                expected: added(.getppid, on) == 0,
                control: "openat takes \(added(.openFile, on)) more; "
                    + "\(added(.openFile, before)) before the programs came",
                controlPassed: added(.openFile, on) > 0 && added(.openFile, before) == 0))
    }

    private func failed(_ name: String, _ why: String) {
        host.report(
            CaseResult(
                id: Self.id, name: name, observation: why, expected: false, control: "",
                controlPassed: true))
    }
}
