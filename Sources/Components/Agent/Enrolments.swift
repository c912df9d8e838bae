// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
package import AgentProtocol
package import EnforcementEvents
package import Ports

/// Who is enrolled, and who may be.
package struct Enrolments: Sendable, Equatable {
    /// One workload that registered.
    package struct Entry: Sendable, Equatable {
        package let id: EnrolmentID
        package let wrapper: ProcessID
        package let user: UInt32
        package let since: MonotonicTime
        /// It was refused after the kernel had marked it: the number is taken until it ends.
        package fileprivate(set) var isRefused = false
        /// False for a number that an exec gave and an earlier agent knew: whether its process has
        /// registered is not known, and it may do so again.
        package fileprivate(set) var isRegistered = true
        /// Where it ran when it registered; nil: in no container that is known.
        package fileprivate(set) var place: ContainerPlace?
        package fileprivate(set) var isScanned = false
        /// When the wrapper began, as an observer counts it; nil: nobody knows.
        package fileprivate(set) var started: UInt64?
        /// What was seen of its programs when they were last looked at.
        package fileprivate(set) var seen: ProcessObservation?
    }

    /// Workloads at once; the programs' table has room for the agent and the victims too.
    package static let entriesMax = 4000
    /// Of one user at once: nobody may fill the table alone.
    package static let entriesPerUserMax = 1000
    /// The first numbers are the self-test's and the agent's.
    private static let firstID: EnrolmentID = 16

    package private(set) var entries: [EnrolmentID: Entry] = [:]
    private var last: EnrolmentID = firstID - 1

    package init() {}

    /// Numbers from here on begin with an exec, and the kernel gives them (CBPF_EXEC_ENROLMENTS).
    private static let firstOfExecs: EnrolmentID = 0x8000_0000

    /// Takes a number that nobody has.
    package mutating func reserve(
        _ peer: AgentPeer, at now: MonotonicTime
    ) throws(Registration.Refusal) -> EnrolmentID {
        guard peer.process > 0 else { throw .invisible }
        guard entries.count < Self.entriesMax,
            entries.values.count(where: { $0.user == peer.user }) < Self.entriesPerUserMax
        else { throw .full }
        repeat {
            last = last + 1 == Self.firstOfExecs ? Self.firstID : last + 1
        } while entries[last] != nil
        entries[last] = Entry(id: last, wrapper: peer.process, user: peer.user, since: now)
        return last
    }

    /// The number that all threads of the peer have since it executed a wrapper's file; nil: they
    /// have none, or another one's.
    package static func numberSinceExec(
        _ tasks: [EnrolledTask], _ peer: AgentPeer
    ) -> EnrolmentID? {
        let number = firstOfExecs | EnrolmentID(bitPattern: peer.process)
        return tasks.allSatisfy { $0.enrolment == number } ? number : nil
    }

    /// Puts a number that an exec gave in the place of a reserved one; false: it has registered.
    package mutating func exchange(_ reserved: EnrolmentID, for given: EnrolmentID) -> Bool {
        guard let entry = entries[reserved], entries[given]?.isRegistered != true else {
            return false
        }
        entries[given] = Entry(
            id: given, wrapper: entry.wrapper, user: entry.user, since: entry.since)
        entries[reserved] = nil
        return true
    }

    /// Workloads that an agent before this one enrolled.
    ///
    /// - Parameters:
    ///   - places: of their wrappers.
    ///   - starts: of their wrappers.
    package mutating func adopt(
        _ workloads: [EnrolledWorkload], at now: MonotonicTime,
        in places: [EnrolmentID: ContainerPlace] = [:], since starts: [EnrolmentID: UInt64] = [:]
    ) {
        for workload in workloads where workload.id >= Self.firstID {
            var entry = Entry(id: workload.id, wrapper: workload.wrapper, user: 0, since: now)
            entry.place = places[workload.id]
            entry.started = starts[workload.id]
            entry.isScanned = workload.isScanned
            entries[workload.id] = entry
            if workload.id < Self.firstOfExecs {
                last = max(last, workload.id)
            } else {
                entries[workload.id]?.isRegistered = false
            }
        }
    }

    /// What the peer has registered, if it did.
    package func id(ofWrapper peer: AgentPeer) -> EnrolmentID? {
        entries.values.first { $0.wrapper == peer.process && !$0.isRefused }?.id
    }

    /// It is enrolled, and this is where it runs.
    package mutating func settle(
        _ id: EnrolmentID, in place: ContainerPlace?, since started: UInt64? = nil
    ) {
        entries[id]?.place = place
        entries[id]?.started = started
    }

    /// Numbers to look at next: those behind `id`, then from the first on again.
    package func next(behind id: EnrolmentID, atMost count: Int) -> [EnrolmentID] {
        let all = entries.keys.sorted()
        let first = all.firstIndex { $0 > id } ?? 0
        return Array((all[first...] + all[..<first]).prefix(count))
    }

    package mutating func see(_ seen: ProcessObservation?, of id: EnrolmentID) {
        entries[id]?.seen = seen
    }

    /// What it lets out is looked through from now on.
    package mutating func scan(_ id: EnrolmentID) { entries[id]?.isScanned = true }

    package mutating func release(_ id: EnrolmentID) { entries[id] = nil }

    /// Keeps the number of a process that is not enrolled, until the kernel has forgotten it.
    package mutating func refuse(_ id: EnrolmentID) { entries[id]?.isRefused = true }

    /// Workloads that registered and were not refused.
    package var count: Int { entries.values.count { !$0.isRefused } }

    /// What the enrolment found must be the peer alone, traced by nobody.
    package static func refusal(of tasks: [EnrolledTask], _ peer: AgentPeer) -> Registration
        .Refusal?
    {
        guard tasks.contains(where: { $0.group == peer.process }) else { return .gone }
        let isTraced = tasks.contains { task in
            guard let tracer = task.tracerGroup else { return false }
            return tracer != peer.process
        }
        return isTraced ? .traced : nil
    }

    /// What else somebody has in hand of the process; nil: nothing.
    package static func hold(on tasks: [EnrolledTask]) -> Registration.Refusal? {
        let all = tasks.reduce(into: EnrolledHold()) { $0.formUnion($1.hold) }
        if all.contains(.listener) { return .listened }
        if all.contains(.userfault) { return .userfault }
        return all.contains(.ring) ? .ring : nil
    }
}
