// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
import CBPFPrograms
package import Enforcement
import Glibc
package import Ports

extension LibbpfKernel {
    /// Threads of one process that an enrolment can find.
    package static let threadsMax = 4096

    package mutating func enrol(
        _ group: ProcessID, as id: EnrolmentID, role: EnrolledRole, policy index: UInt32
    ) throws(EnforcementFailure) -> [EnrolledTask] {
        var number = id
        var enrolment = cbpf_enrolment()
        enrolment.policy = index
        if role.contains(.wrapper) { enrolment.wrapper_group = UInt32(group) }
        let exists = cbpf_map_lookup(maps.enrolments, &number, &enrolment) == 0
        if !exists {
            try Self.check(
                cbpf_map_update(maps.enrolments, &number, &enrolment), full: "enrolments")
        }
        var key = UInt32(group)
        var mark = cbpf_task_mark(enrolment: id, flags: role.rawValue)
        try Self.check(cbpf_map_update(maps.pending, &key, &mark), full: "pending")
        defer {
            _ = cbpf_map_delete(maps.pending, &key)
            try? forget(map: "pending_memory", key: UInt64())
        }
        var found = [cbpf_task_facts](repeating: cbpf_task_facts(), count: Self.threadsMax)
        let count = cbpf_agent_enrol(agent, &found, found.count)
        guard count >= 0 else { throw .systemCall("bpf_iter", errorNumber: Int32(-count)) }
        guard count > 0 else {
            if !exists { _ = cbpf_map_delete(maps.enrolments, &number) }
            throw .noSuchProcess
        }
        let tasks = found.prefix(Int(count)).map(EnrolledTask.init)
        return role == .wrapper ? try holding(tasks) : tasks
    }

    /// The tasks with what open files of the machine show of them.
    private func holding(
        _ tasks: [EnrolledTask]
    ) throws(EnforcementFailure) -> [EnrolledTask] {
        var found = [cbpf_task_facts](repeating: cbpf_task_facts(), count: Self.threadsMax)
        let count = cbpf_agent_enrol_files(agent, &found, found.count)
        guard count >= 0 else { throw .systemCall("bpf_iter", errorNumber: Int32(-count)) }
        var holding = tasks
        for facts in found.prefix(Int(count)) {
            for index in holding.indices where holding[index].group == facts.group {
                holding[index].hold.formUnion(EnrolledHold(rawValue: facts.state))
            }
        }
        return holding
    }

    package mutating func forget(_ id: EnrolmentID) throws(EnforcementFailure) -> Bool {
        guard try tasks(of: id) <= 0 else { return false }
        var number = id
        endScan(of: id)
        _ = cbpf_map_delete(maps.enrolments, &number)
        return true
    }

    package func tasks(of id: EnrolmentID) throws(EnforcementFailure) -> Int {
        var number = id
        var enrolment = cbpf_enrolment()
        let result = cbpf_map_lookup(maps.enrolments, &number, &enrolment)
        guard result != -ENOENT else { return 0 }
        try Self.check(result, "bpf")
        return Int(enrolment.tasks)
    }

    package mutating func setPolicy(
        _ policy: EnforcementPolicy, at index: UInt32
    ) throws(EnforcementFailure) {
        var number = index
        var value = cbpf_policy()
        withUnsafeMutableBytes(of: &value) { bytes in
            for (vector, action) in policy.actions where Int(vector.rawValue) < bytes.count {
                bytes[Int(vector.rawValue)] = action.rawValue
            }
        }
        try Self.check(cbpf_map_update(maps.policies, &number, &value), full: "policies")
    }

    package mutating func setRate(
        _ rate: EnforcementRate, generation: UInt32
    ) throws(EnforcementFailure) {
        var cell: UInt32 = 0
        var value = try Self.settings(maps)
        value.generation = generation
        value.events_per_second = rate.perSecond
        value.events_burst = rate.burst
        try Self.check(cbpf_map_update(maps.settings, &cell, &value), full: "settings")
    }

    static func settings(_ maps: Maps) throws(EnforcementFailure) -> cbpf_settings {
        var cell: UInt32 = 0
        var value = cbpf_settings()
        try check(cbpf_map_lookup(maps.settings, &cell, &value), "bpf")
        return value
    }

    /// For the agent that takes over.
    static func noteTier(
        _ tier: EnforcementTier, _ maps: Maps
    ) throws(EnforcementFailure) {
        var cell: UInt32 = 0
        var value = try settings(maps)
        value.tier = UInt32(tier.rawValue)
        try check(cbpf_map_update(maps.settings, &cell, &value), full: "settings")
    }

    static func notedTier(_ maps: Maps) throws(EnforcementFailure) -> EnforcementTier {
        let noted = try settings(maps).tier
        guard let tier = EnforcementTier(rawValue: UInt8(clamping: noted)) else {
            throw .unsupported(detail: "the pinned programs do not say what they are")
        }
        return tier
    }

    package func workloads() throws(EnforcementFailure) -> [EnrolledWorkload] {
        var found: [EnrolledWorkload] = []
        let scanned = Self.scanned(maps)
        // No workload has this number: the walk starts with the first.
        var number: EnrolmentID = 0
        var next: EnrolmentID = 0
        while cbpf_map_next_key(maps.enrolments, &number, &next) == 0 {
            number = next
            var enrolment = cbpf_enrolment()
            guard cbpf_map_lookup(maps.enrolments, &number, &enrolment) == 0 else { continue }
            found.append(
                EnrolledWorkload(
                    id: number, wrapper: ProcessID(bitPattern: enrolment.wrapper_group),
                    isScanned: scanned.contains(number)))
        }
        return found
    }

    package mutating func takeUntoldLoss() throws(EnforcementFailure) -> UInt64 {
        let dropped = try counts().values.reduce(0) { $0 + $1.dropped }
        var cell: UInt32 = 0
        var value = try Self.settings(maps)
        let untold = dropped - min(dropped, value.dropped_told)
        value.dropped_told = dropped
        try Self.check(cbpf_map_update(maps.settings, &cell, &value), full: "settings")
        return untold
    }

    /// A cell's values of all processors.
    ///
    /// - Parameter empty: a value of the map's type.
    static func perProcessor<Value: BitwiseCopyable>(
        _ map: Int32, _ key: UInt32, _ empty: Value
    ) throws(EnforcementFailure) -> [Value] {
        var key = key
        let processors = Int(cbpf_possible_processors())
        var values = [Value](repeating: empty, count: max(1, processors))
        try check(cbpf_map_lookup(map, &key, &values), "bpf")
        return values
    }

    /// Has the programs' maps as they were before a self-test: nothing of it is counted, and the
    /// next record has the first number. Every policy has to be silent.
    ///
    /// - Parameter victims: the enrolment of the self-test's victims, who have ended.
    package mutating func forgetSelfTest(
        of victims: EnrolmentID
    ) throws(EnforcementFailure) {
        while !(try takeRecords(atMost: Self.recordsMax, waiting: 0)).isEmpty {}
        var number = victims
        _ = cbpf_map_delete(maps.enrolments, &number)
        for vector in EnforcedVector.all {
            try clear(maps.counts, UInt32(vector.number.rawValue), cbpf_counts())
        }
        try clear(maps.scanCounts, 0, cbpf_scan_counts())
        try clear(try map("sequences"), 0, UInt64())
        try forget(map: "buckets", key: SIMD2<UInt64>())
        try forget(map: "streams", key: SIMD2<UInt64>())
    }

    /// Sets a cell of all processors.
    private func clear<Value: BitwiseCopyable>(
        _ map: Int32, _ key: UInt32, _ empty: Value
    ) throws(EnforcementFailure) {
        var key = key
        var values = [Value](repeating: empty, count: max(1, Int(cbpf_possible_processors())))
        try Self.check(cbpf_map_update(map, &key, &values), "bpf")
    }

    package func counts() throws(EnforcementFailure) -> [VectorNumber: EnforcementCounts] {
        var result: [VectorNumber: EnforcementCounts] = [:]
        for vector in EnforcedVector.all {
            let key = UInt32(vector.number.rawValue)
            var sum = EnforcementCounts()
            for value in try Self.perProcessor(maps.counts, key, cbpf_counts()) {
                sum.attempts += value.attempts
                sum.denied += value.denied
                sum.records += value.events
                sum.suppressed += value.suppressed
                sum.dropped += value.dropped
            }
            if sum.attempts > 0 { result[vector.number] = sum }
        }
        return result
    }

    /// What each loaded program cost: instructions that the verifier walked, bytes.
    package func programCosts() -> [(section: String, verified: UInt32, bytes: UInt32)] {
        (0..<cbpf_agent_program_count(agent)).compactMap { index in
            var verified: UInt32 = 0
            var bytes: UInt32 = 0
            guard cbpf_agent_program_cost(agent, index, &verified, &bytes) == 0 else { return nil }
            return (String(cString: cbpf_agent_section(agent, index)), verified, bytes)
        }
    }

    static func check(_ result: Int32, full table: String) throws(EnforcementFailure) {
        if result == -E2BIG || result == -ENOSPC { throw .full(table: table) }
        try check(result, "bpf")
    }
}

extension EnrolledTask {
    fileprivate init(_ facts: cbpf_task_facts) {
        self.init(
            thread: facts.thread, group: facts.group, parentGroup: facts.parent_group,
            tracerGroup: facts.tracer_group == 0 ? nil : facts.tracer_group,
            enrolment: facts.enrolment, hold: EnrolledHold(rawValue: facts.state))
    }
}
