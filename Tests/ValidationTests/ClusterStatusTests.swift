// SPDX-License-Identifier: Apache-2.0
import Foundation
import Inventory
import KubernetesFormat
import Reporting
import Testing
import Validation

private typealias State = ClusterStatus.Line.State

private func states(
    _ objects: [ClusterObject], vaults: [VaultRecord] = [Samples.vault("active")],
    now: Int64 = Samples.now
) -> [String: State] {
    let status = ClusterStatus(Samples.input(objects, vaults: vaults, now: now))
    return Dictionary(uniqueKeysWithValues: status.lines.map { ($0.name, $0.state) })
}

@Suite("How a cluster does") struct ClusterStatusTests {
    @Test func `all is well`() throws {
        let objects =
            try Samples.whole() + [
                Samples.pod(bare: false), Samples.report("True"), Samples.part("s3-proxy"),
            ]
        let status = ClusterStatus(Samples.input(objects, vaults: [Samples.vault("active")]))
        #expect(status.lines.count == 8)
        #expect(status.lines.allSatisfy { $0.state == .ok && $0.runbook.isEmpty }, "\(status.text)")
        #expect(status.json["state"]?.text == "ok")
        #expect(status.text.contains("1 protected, 0 ask and are not wrapped"))
        #expect(status.text.contains("ready on 1 of 1 nodes"))
    }

    @Test func `each part is told when it fails, and no other`() throws {
        let whole = try Samples.whole()
        func changed(_ index: Int, _ object: ClusterObject) -> [ClusterObject] {
            var objects = whole
            objects[index] = object
            return objects
        }
        let cases: [(String, State, [ClusterObject])] = [
            ("operator", .degraded, changed(4, try Samples.part("operator", ready: 1))),
            ("operator", .down, changed(4, try Samples.part("operator", ready: 0))),
            ("operator", .down, whole.filter { $0.name != "cloudtaser-operator" }),
            ("webhook", .degraded, changed(3, try Samples.webhook(failurePolicy: "Ignore"))),
            ("webhook", .down, changed(3, try Samples.webhook(bundle: ""))),
            ("webhook", .down, whole.filter { $0.kind != "MutatingWebhookConfiguration" }),
            ("policy", .down, changed(2, try Samples.policy(audience: nil))),
            ("policy", .down, whole + [try Samples.policy("second")]),
            ("policy", .down, whole.filter { $0.kind != "CloudTaserPolicy" }),
            ("agents", .degraded, whole + [try Samples.node("b")]),
            (
                "agents", .down,
                changed(2, try Samples.policy(agent: "required")).filter { $0.name != "agent-a" }
            ),
            ("pods", .degraded, whole + [try Samples.pod(bare: true)]),
            ("reports", .degraded, whole + [try Samples.report("False")]),
            ("reports", .degraded, whole + [try Samples.report("Unknown")]),
            ("s3 proxy", .degraded, whole + [try Samples.part("s3-proxy", ready: 1)]),
            ("s3 proxy", .down, whole + [try Samples.part("s3-proxy", ready: 0)]),
        ]
        for (name, state, objects) in cases {
            let found = states(objects)
            #expect(found[name] == state, "\(name) \(found)")
            #expect(found.filter { $0.value != .ok }.count == 1, "\(name) \(found)")
        }
        // A policy that wants none, on a cluster that has none.
        #expect(states(whole.filter { $0.name != "agent-a" })["agents"] == .ok)
        #expect(states(whole, vaults: [Samples.vault("sealed")])["vaults"] == .down)
        #expect(
            states(whole, vaults: [Samples.vault("active"), Samples.vault(nil)])["vaults"]
                == .degraded)
        #expect(states(whole, vaults: [])["vaults"] == .unknown)
        // The webhook's authority: six days before its end, and after it.
        #expect(states(whole, now: 1_798_243_200)["webhook"] == .degraded)
        #expect(states(whole, now: 1_798_761_601)["webhook"] == .down)
    }

    @Test func `what was not read is unknown, and not down`() throws {
        let status = ClusterStatus(Samples.input([], scope: .files))
        for line in status.lines where line.name != "s3 proxy" {
            #expect(line.state == .unknown, "\(line)")
        }
        #expect(status.json["state"]?.text == "unknown")
        let without = ClusterStatus(Samples.input([], scope: .files), withVaults: false)
        #expect(!without.lines.contains { $0.name == "vaults" })
    }

    @Test func `each runbook that is named is there`() throws {
        let root = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL
        let broken = ClusterStatus(
            Samples.input([try Samples.pod(bare: true)], vaults: [Samples.vault("sealed")]))
        let empty = ClusterStatus(Samples.input([], scope: .files))
        let runbooks = Set((broken.lines + empty.lines).map(\.runbook).filter { !$0.isEmpty })
        #expect(runbooks.count > 5)
        for runbook in runbooks {
            let path = root.appending(path: runbook).path(percentEncoded: false)
            #expect(FileManager.default.fileExists(atPath: path), "\(runbook)")
        }
    }
}
