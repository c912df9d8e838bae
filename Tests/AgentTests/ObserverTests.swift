// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import EnforcementEvents
import Foundation
import Ports
import Simulation
import Testing

@Suite struct `What the agent tells of programs that it looked at` {
    private static let container = String(repeating: "a", count: 64)
    private static let seen = ProcessObservation(
        lockedKiB: 4, isDumpable: false, hasNoNewPrivileges: true, seccompMode: 2)

    private static func bench(
        _ seen: [ProcessID: ProcessObservation], node: NodeObservation = NodeObservation()
    ) throws -> (Bench, SimulatedWorkloadObserver) {
        let bench = Bench()
        let place = try #require(
            ContainerPlace(
                cgroups: "0::/kubepods.slice/kubepods-pod0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0.slice"
                    + "/cri-containerd-\(container).scope\n"))
        for process in ProcessID(10)...ProcessID(10 + 200) { bench.places[process] = place }
        let observer = SimulatedWorkloadObserver(node: node)
        for process in bench.places.keys { observer.start(process) }
        for (wrapper, facts) in seen {
            observer.start(program(of: wrapper), childOf: wrapper, facts)
        }
        bench.observer = observer
        return (bench, observer)
    }

    private static func program(of wrapper: ProcessID) -> ProcessID { wrapper + 10_000 }

    private static func tick(
        _ bench: Bench, _ agent: inout Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>
    ) throws {
        bench.time.advance(.seconds(1))
        bench.host.inputs = [.deadline]
        _ = try agent.run()
    }

    private static func root(
        _ bench: Bench, _ agent: inout Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>
    ) throws -> [String: Any] {
        let page = try bench.page("/workloads", of: &agent)
        return try #require(
            JSONSerialization.jsonObject(with: Data(page.body.utf8)) as? [String: Any])
    }

    private static func workloads(
        _ bench: Bench, _ agent: inout Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>
    ) throws -> [[String: Any]] {
        try #require(try root(bench, &agent)["workloads"] as? [[String: Any]])
    }

    @Test func `is what was seen at the last tick`() throws {
        let (bench, observer) = try Self.bench([10: Self.seen])
        var agent = bench.agent()
        Bench.register(&agent, 10)
        #expect(try Self.workloads(bench, &agent)[0]["seen"] is NSNull)
        try Self.tick(bench, &agent)
        let one = try #require(Self.workloads(bench, &agent)[0]["seen"] as? [String: Any])
        #expect(Set(one.keys) == ["lockedKiB", "dumpable", "noNewPrivileges", "seccomp"])
        #expect(one["lockedKiB"] as? Int == 4 && one["dumpable"] as? Bool == false)
        #expect(one["noNewPrivileges"] as? Bool == true && one["seccomp"] as? Int == 2)
        // What is not seen any more is not told any more.
        observer.end(Self.program(of: 10))
        try Self.tick(bench, &agent)
        #expect(try Self.workloads(bench, &agent)[0]["seen"] is NSNull)
    }

    @Test func `says nothing of dumpable where that cannot be told`() throws {
        var seen = Self.seen
        seen.isDumpable = nil
        let (bench, _) = try Self.bench([10: seen])
        var agent = bench.agent()
        Bench.register(&agent, 10)
        try Self.tick(bench, &agent)
        let one = try #require(Self.workloads(bench, &agent)[0]["seen"] as? [String: Any])
        #expect(one["dumpable"] is NSNull)
    }

    @Test func `is never of another process that has the wrapper's number`() throws {
        let (bench, observer) = try Self.bench([10: Self.seen])
        var agent = bench.agent()
        Bench.register(&agent, 10)
        observer.start(10)
        try Self.tick(bench, &agent)
        #expect(observer.looks == [10])
        #expect(try Self.workloads(bench, &agent)[0]["seen"] is NSNull)
    }

    @Test func `is there behind a restart of the agent`() throws {
        let (bench, _) = try Self.bench([70: Self.seen])
        bench.kernel.earlier = [EnrolledWorkload(id: 16, wrapper: 70)]
        bench.kernel.living = [16: 2]
        var agent = bench.agent(isAdopted: true)
        bench.time.advance(.seconds(1))
        bench.host.inputs = [.deadline]
        _ = try agent.run()
        #expect(try Self.workloads(bench, &agent)[0]["seen"] is [String: Any])
    }

    @Test func `takes turns, so that no tick is long`() throws {
        let (bench, observer) = try Self.bench([:])
        var agent = bench.agent()
        let most = Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>.looksPerTick
        let wrappers = (0..<most + 3).map { ProcessID(10 + $0) }
        for process in wrappers { Bench.register(&agent, process) }
        let number = { observer.looks.count }
        let before = number()
        try Self.tick(bench, &agent)
        let first = number() - before
        #expect(first == most)
        try Self.tick(bench, &agent)
        // All of them once before any comes again.
        #expect(Set(observer.looks) == Set(wrappers))
        #expect(Array(observer.looks.prefix(wrappers.count)) == wrappers)
    }

    @Test func `is of the node, too`() throws {
        let facts = NodeObservation(
            kernel: "6.1.0", secretMemory: .on, openWeaknesses: ["l1tf", "mds"],
            confidential: .sevSNP)
        let (bench, _) = try Self.bench([:], node: facts)
        var agent = bench.agent()
        let node = try #require(Self.root(bench, &agent)["node"] as? [String: Any])
        #expect(node["kernel"] as? String == "6.1.0" && node["secretMemory"] as? String == "on")
        #expect(node["openWeaknesses"] as? [String] == ["l1tf", "mds"])
        #expect(node["confidential"] as? String == "sev-snp")
        let (blind, _) = try Self.bench([:])
        var other = blind.agent()
        let nothing = try #require(Self.root(blind, &other)["node"] as? [String: Any])
        #expect(nothing.count == 4 && nothing.values.allSatisfy { $0 is NSNull })
        blind.observer = nil
        var none = blind.agent()
        #expect(try Self.root(blind, &none)["node"] is NSNull)
    }
}
