// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import AgentProtocol
import Enforcement
import EnforcementEvents
import Foundation
import Ports
import Testing

@Suite struct `What the agent tells of workloads` {
    private static let pod = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

    private static func id(_ digit: String) -> String { String(repeating: digit, count: 64) }

    private static func place(_ container: String, pod: String = pod) throws -> ContainerPlace {
        let slice = pod.replacing("-", with: "_")
        return try #require(
            ContainerPlace(
                cgroups: "0::/kubepods.slice/kubepods-pod\(slice).slice/"
                    + "cri-containerd-\(container).scope\n"))
    }

    private static func root(
        _ bench: Bench, _ agent: inout Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>
    ) throws -> [String: Any] {
        let page = try bench.page("/workloads", of: &agent)
        #expect(page.status == "HTTP/1.1 200 OK")
        #expect(page.head.contains("Content-Type: application/json"))
        return try #require(
            JSONSerialization.jsonObject(with: Data(page.body.utf8)) as? [String: Any])
    }

    private static func numbers(
        _ bench: Bench, _ agent: inout Agent<FakeKernel, FakeHost, TestTime, FakeRecorder>
    ) throws -> [Int] {
        let all = try root(bench, &agent)["workloads"] as? [[String: Any]]
        return try #require(all).compactMap { $0["enrolment"] as? Int }
    }

    @Test func `is who is enrolled in which container of which pod`() throws {
        let bench = Bench()
        bench.places = [10: try Self.place(Self.id("a")), 11: try Self.place(Self.id("b"))]
        var agent = bench.agent()
        Bench.register(&agent, 11)
        Bench.register(&agent, 10)
        let root = try Self.root(bench, &agent)
        #expect(Set(root.keys) == ["tier", "mode", "ready", "scans", "node", "workloads", "more"])
        #expect(root["tier"] as? String == "lsm" && root["mode"] as? String == "deny")
        #expect(root["scans"] as? Bool == false && root["more"] as? Bool == false)
        let all = try #require(root["workloads"] as? [[String: Any]])
        #expect(all.map { $0["container"] as? String } == [Self.id("b"), Self.id("a")])
        for one in all {
            #expect(Set(one.keys) == ["pod", "container", "enrolment", "scanned", "seen"])
            #expect(one["pod"] as? String == Self.pod && one["scanned"] as? Bool == false)
        }
        #expect(all.map { $0["enrolment"] as? Int } == [16, 17])
    }

    @Test func `leaves out who runs in no container, of no pod, or was refused`() throws {
        let bench = Bench()
        let docker = ContainerPlace(cgroups: "0::/docker/\(Self.id("c"))\n")
        bench.places = [
            10: try Self.place(Self.id("a")), 11: try #require(docker),
            13: try Self.place(Self.id("d")),
        ]
        bench.kernel.answer = { group, id throws(EnforcementFailure) in
            [.fake(group, id, tracer: group == 13 ? 99 : nil)]
        }
        var agent = bench.agent()
        for process in [10, 11, 12, 13] as [ProcessID] { Bench.register(&agent, process) }
        #expect(bench.host.answers[13] == "refused 2 traced\n")
        #expect(try Self.numbers(bench, &agent) == [16])
        // Control: the one that was refused is told of when it is let in.
        bench.kernel.answer = { group, id throws(EnforcementFailure) in [.fake(group, id)] }
        var other = bench.agent()
        Bench.register(&other, 13)
        #expect(try Self.numbers(bench, &other).count == 1)
    }

    @Test func `leaves out who has ended, before the agent forgets its number`() throws {
        let bench = Bench()
        bench.places = [10: try Self.place(Self.id("a"))]
        var agent = bench.agent()
        Bench.register(&agent, 10)
        #expect(try Self.numbers(bench, &agent) == [16])
        bench.kernel.living[16] = 0
        #expect(try Self.numbers(bench, &agent) == [])
    }

    /// Its number may be another process's by the time that its place was looked at.
    @Test func `leaves out who left while it was looked at`() throws {
        let bench = Bench()
        bench.places = [10: try Self.place(Self.id("a"))]
        bench.host.gone = [10]
        var agent = bench.agent()
        Bench.register(&agent, 10)
        #expect(bench.host.answers[10] == "refused 2 gone\n")
        #expect(try Self.numbers(bench, &agent) == [])
    }

    @Test func `says who is scanned`() throws {
        let bench = Bench()
        bench.kernel.canScan = true
        bench.findings = ["AV-044", "AV-086", "AV-088"].map { VectorFinding.denied($0) }
        bench.places = [10: try Self.place(Self.id("a")), 11: try Self.place(Self.id("b"))]
        var agent = bench.agent()
        Bench.register(&agent, 10)
        Bench.register(&agent, 11)
        let request = try ScanRequest(
            address: 0x3a5f_1000_2010, length: ScanRequest.lengthMin, rules: [],
            bitmap: [UInt8](repeating: 1, count: ScanRequest.bitmapBytes))
        agent.handle(
            .registration(99, AgentPeer(process: 11, user: 1000), request: request.bytes))
        let root = try Self.root(bench, &agent)
        #expect(root["scans"] as? Bool == true)
        let all = try #require(root["workloads"] as? [[String: Any]])
        #expect(all.map { $0["scanned"] as? Bool } == [false, true])
    }

    @Test func `goes on behind a restart of the agent`() throws {
        let bench = Bench()
        bench.kernel.earlier = [
            EnrolledWorkload(id: 2, wrapper: 69), EnrolledWorkload(id: 16, wrapper: 70),
            EnrolledWorkload(id: 17, wrapper: 71, isScanned: true),
            EnrolledWorkload(id: 18, wrapper: 72),
        ]
        bench.kernel.living = [2: 1, 16: 3, 17: 1, 18: 1]
        bench.places = [
            69: try Self.place(Self.id("e")), 70: try Self.place(Self.id("a")),
            71: try Self.place(Self.id("b")),
        ]
        var agent = bench.agent(isAdopted: true)
        _ = try agent.run()
        let all = try #require(Self.root(bench, &agent)["workloads"] as? [[String: Any]])
        #expect(all.map { $0["enrolment"] as? Int } == [16, 17])
        #expect(all.map { $0["scanned"] as? Bool } == [false, true])
    }

    @Test func `names the tier that the self-test saw, and no better one`() throws {
        let cases: [(EnforcementTier, [VectorFinding], String)] = [
            (.lsm, [.denied("AV-008"), .open("AV-044")], "lsm"),
            (.modifyReturn, [.denied("AV-008")], "fmod_ret"),
            (.lsm, [.open("AV-008"), .untested("AV-020")], "none"), (.lsm, [], "none"),
            (.modifyReturn, [.interrupted("AV-008")], "none"),
            (.signal, [.killed("AV-008"), .open("AV-013")], "signal"),
            (.signal, [.open("AV-008")], "none"),
        ]
        for (tier, findings, word) in cases {
            let bench = Bench()
            bench.tier = tier
            bench.findings = findings
            bench.settings.policy.mode = .kill
            var agent = bench.agent()
            let root = try Self.root(bench, &agent)
            #expect(root["tier"] as? String == word, "\(tier) \(findings)")
            #expect(root["mode"] as? String == "deny+kill")
            let isReady = findings.count == 1 && findings[0].result == .denied
            #expect(root["ready"] as? Bool == isReady, "\(findings)")
        }
    }

    @Test func `has a limit, and says when there is more`() throws {
        let max = WorkloadsDocument.workloadsMax
        for count in [max, max + 1] {
            let bench = Bench()
            let numbers = (0..<count).map { EnrolmentID(16 + $0) }
            bench.kernel.earlier = numbers.map {
                EnrolledWorkload(id: $0, wrapper: ProcessID($0))
            }
            bench.kernel.living = Dictionary(uniqueKeysWithValues: numbers.map { ($0, 1) })
            let place = try Self.place(Self.id("a"))
            bench.places = Dictionary(
                uniqueKeysWithValues: numbers.map { (ProcessID($0), place) })
            var agent = bench.agent(isAdopted: true)
            _ = try agent.run()
            let root = try Self.root(bench, &agent)
            #expect((root["workloads"] as? [Any])?.count == max)
            #expect(root["more"] as? Bool == (count > max))
        }
    }
}
