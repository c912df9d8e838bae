// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import Testing

@Suite("One side of an election") struct LeaderElectionStateMachineTests {
    private static let times = LeaderElectionTimes.usual

    private func machine(_ identity: String = "one") -> LeaderElectionStateMachine {
        LeaderElectionStateMachine(
            identity: identity, name: "lock", namespace: "n", times: Self.times)
    }

    /// As the server would store it.
    private func stored(_ record: LeaseRecord, version: Int) throws -> LeaseRecord {
        var tree = try JSONTree(record.rendered())
        var metadata = try #require(tree["metadata"])
        metadata["resourceVersion"] = .string(String(version))
        tree["metadata"] = metadata
        return try LeaseRecord(tree.rendered())
    }

    private func held(by holder: String, version: Int, seconds: Int = 15) throws -> LeaseRecord {
        var record = LeaseRecord(name: "lock", namespace: "n")
        record.holder = holder
        record.durationSeconds = seconds
        return try stored(record, version: version)
    }

    @Test("a lock that is not there is made, and counts from before it was asked for")
    func creates() throws {
        var machine = machine()
        #expect(machine.begin(at: .seconds(100)) == .get)
        guard case .create(let record) = machine.isMissing(at: .seconds(101), wallClock: 0)
        else { return #expect(Bool(false), "no create") }
        #expect(record.holder == "one" && record.durationSeconds == 15)
        #expect(record.transitions == 0)
        #expect(!machine.leads(at: .seconds(101)))
        let answer = try stored(record, version: 1)
        #expect(machine.wrote(answer, at: .seconds(105)) == .wait(until: .seconds(107)))
        #expect(machine.deadline == .seconds(111), "10 s from 101, not from 105")
        #expect(!machine.leads(at: .seconds(105)), "who held a deleted one may still lead")
        #expect(machine.release(at: .seconds(105), wallClock: 0) == nil, "and others must wait too")
    }

    /// One that leads from `time` on.
    private func leading(since time: Duration, version: Int = 1) throws
        -> LeaderElectionStateMachine
    {
        var machine = machine()
        _ = machine.begin(at: time)
        let free = try held(by: "", version: version, seconds: 1)
        guard case .replace(let record) = machine.read(free, at: time, wallClock: 0) else {
            Issue.record("did not take a free lock")
            return machine
        }
        _ = machine.wrote(try stored(record, version: version + 1), at: time)
        return machine
    }

    @Test("whose own Lease was deleted makes it anew, and waits as everybody does")
    func deleted() throws {
        var machine = try leading(since: .seconds(0))
        _ = machine.begin(at: .seconds(2))
        guard case .create(let record) = machine.isMissing(at: .seconds(2), wallClock: 0)
        else { return #expect(Bool(false), "no create") }
        #expect(!machine.leads(at: .seconds(2)))
        // The answer is lost; the next look finds what was written.
        _ = machine.didNotWrite(at: .seconds(3))
        let found = try stored(record, version: 7)
        guard case .replace(let renewal) = machine.read(found, at: .seconds(5), wallClock: 0)
        else { return #expect(Bool(false), "no renewal") }
        _ = machine.wrote(try stored(renewal, version: 8), at: .seconds(5))
        #expect(!machine.leads(at: .milliseconds(11_999)))
        #expect(machine.leads(at: .seconds(12)))
    }

    @Test("another's lock is left until it was seen unchanged for its whole duration")
    func waits() throws {
        var machine = machine()
        let other = try held(by: "two", version: 1)
        #expect(
            machine.read(other, at: .seconds(0), wallClock: 0) == .wait(until: .seconds(2)))
        #expect(
            machine.read(other, at: .milliseconds(14_999), wallClock: 0)
                == .wait(until: .milliseconds(16_999)))
        let renewed = try held(by: "two", version: 2)
        _ = machine.read(renewed, at: .seconds(15), wallClock: 0)
        guard case .wait = machine.read(renewed, at: .milliseconds(29_999), wallClock: 0)
        else { return #expect(Bool(false), "took over too early") }
        guard case .replace(let record) = machine.read(renewed, at: .seconds(30), wallClock: 0)
        else { return #expect(Bool(false), "did not take over") }
        #expect(record.holder == "one" && record.transitions == 1)
        #expect(record.resourceVersion == "2")
    }

    @Test("a lock that was given back is free at once")
    func released() throws {
        var machine = machine()
        let free = try held(by: "", version: 3, seconds: 1)
        guard case .replace(let record) = machine.read(free, at: .seconds(0), wallClock: 0)
        else { return #expect(Bool(false), "did not take a free lock") }
        _ = machine.wrote(try stored(record, version: 4), at: .seconds(1))
        #expect(machine.leads(at: .seconds(1)))
        #expect(machine.leads(at: .milliseconds(9_999)))
        #expect(!machine.leads(at: .seconds(10)), "10 s from when it was asked for")
    }

    @Test("a renewal that fails changes nothing until the time is over")
    func keeps() throws {
        var machine = try leading(since: .seconds(0))
        _ = machine.begin(at: .seconds(2))
        #expect(machine.didNotWrite(at: .seconds(4)) == .wait(until: .seconds(6)))
        #expect(machine.leads(at: .seconds(9)))
        #expect(!machine.leads(at: .seconds(10)))
    }

    @Test("a lock that somebody else took ends leading at once")
    func loses() throws {
        var machine = try leading(since: .seconds(0))
        _ = machine.read(try held(by: "two", version: 2), at: .seconds(1), wallClock: 0)
        #expect(!machine.leads(at: .seconds(1)))
        #expect(machine.release(at: .seconds(2), wallClock: 0) == nil)
    }

    @Test("giving back names the state that was held")
    func release() throws {
        var machine = try leading(since: .seconds(0), version: 7)
        let released = machine.release(at: .seconds(2), wallClock: 0)
        let back = try #require(released)
        #expect(back.holder == "" && back.resourceVersion == "8")
        #expect(!machine.leads(at: .seconds(0)))
    }

    @Test("times must leave room: renewals within the lease, two tries within a renewal")
    func times() {
        func times(_ lease: Int, _ renew: Duration, _ retry: Duration) -> LeaderElectionTimes? {
            LeaderElectionTimes(checked: lease, renewWithin: renew, retryAfter: retry)
        }
        #expect(times(15, .seconds(10), .seconds(2)) == .usual)
        #expect(times(10, .seconds(10), .seconds(2)) == nil)
        #expect(times(11, .seconds(10), .seconds(5)) != nil)
        #expect(times(11, .seconds(10), .milliseconds(5001)) == nil)
        #expect(times(15, .seconds(10), .zero) == nil)
    }
}
