// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import Operator
import SimulatedCluster
import SimulationEngine
import Synchronization
import Testing

@Suite("The webhook's owner, and servers without conditions") struct WebhookOwnerTests {
    @Test("goes with the ClusterRole, and follows one that is made anew")
    func owned() throws {
        var uids: [JSONTree?] = []
        let world = try world(seconds: 300) { world in
            world.clusterRole = "operator"
            world.createClusterRole("operator")
            world.spawn("one")
            for second in [50, 100, 200] {
                world.run.after(.seconds(second)) {
                    let found =
                        world.stored(TrustWorld.configuration)?
                        .value(at: "metadata", "ownerReferences")?.elements ?? []
                    let role = world.stored(TrustWorld.clusterRoles.object("operator"))
                    #expect(found.count == 1 && found.first?["name"] == "operator")
                    uids.append(found.first?["uid"])
                    #expect(uids.last == role?.value(at: "metadata", "uid"))
                    guard second == 50 else { return }
                    world.delete(TrustWorld.clusterRoles.object("operator"))
                    world.createClusterRole("operator")
                    world.change(TrustWorld.configuration) { $0.setMetadata("labels", [:]) }
                }
            }
        }
        #expect(uids.count == 3 && uids[0] != uids[1] && uids[1] == uids[2])
        #expect(world.reports.allSatisfy { $0.name != "owner_unknown" })
    }

    @Test("goes on without a ClusterRole, and tells it once")
    func ownerless() throws {
        for failure in [KubernetesFailure.forbidden(message: "no"), .notFound(path: "p")] {
            let world = try world(seconds: 300) { world in
                world.clusterRole = "operator"
                world.fault = { call, _ in
                    call.collection == TrustWorld.clusterRoles ? .before(failure) : nil
                }
                world.spawn("one")
                world.run.after(.seconds(50)) {
                    world.change(TrustWorld.configuration) {
                        $0.setMetadata("ownerReferences", [["name": "mine"]])
                    }
                }
            }
            #expect(world.reports.count(of: .ownerUnknown(failure)) == 1)
            #expect(
                world.stored(TrustWorld.configuration)?.value(at: "metadata", "ownerReferences")
                    == [["name": "mine"]], "what is not known is not taken away")
        }
    }

    @Test("a server that drops conditions is never asked to select by them")
    func dropped() throws {
        var obstacles: [WebhookTrust.Obstacle?] = []
        var isThere: Bool?
        let world = try world(seconds: 400) { world in
            let isOld = Mutex(true)
            world.wrap = { DroppingAPI(api: $0, isOld: { isOld.withLock { $0 } }) }
            world.spawn("one")
            world.run.after(.milliseconds(1)) {
                obstacles.append(world.trusts["one"]?.obstacle)
            }
            world.run.after(.seconds(200)) {
                obstacles.append(world.trusts["one"]?.obstacle)
                isThere = world.stored(TrustWorld.configuration) != nil
                // Upgraded.
                isOld.withLock { $0 = false }
            }
        }
        #expect(obstacles == [.noCertificate, .conditionsDropped])
        #expect(isThere == false)
        #expect(world.reports.count(of: .conditionsDropped) > 2)
        #expect(world.trusts["one"]?.obstacle == nil)
        let names = world.cluster.withServer { server in
            server.objects.filter { $0.key.resource == "mutatingwebhookconfigurations" }.count
        }
        #expect(names == 1, "a trial leaves nothing")
    }

    @Test("says why nobody can call yet")
    func obstacles() throws {
        var found: [WebhookTrust.Obstacle?] = []
        _ = try world(seconds: 400) { world in
            world.spawn("one")
            world.spawn("two", after: .seconds(3))
            world.run.after(.seconds(100)) {
                world.run.pause("one")
                world.run.crash("two")
                world.delete(TrustWorld.secret)
                world.run.restart("two")
            }
            world.run.after(.seconds(105)) { world.run.resume("one") }
            for second in [2, 110, 140] {
                world.run.after(.seconds(second)) {
                    found.append(world.trusts[second < 3 ? "one" : "two"]?.obstacle)
                }
            }
        }
        #expect(found == [nil, .notBelieved, nil])
    }
}

/// A server from before conditions.
private struct DroppingAPI: ForwardingKubernetesAPI {
    let api: any KubernetesAPI
    let isOld: @Sendable () -> Bool

    private func dropped(_ body: [UInt8]) -> [UInt8] {
        guard isOld(), var object = try? JSONTree(body),
            let webhooks = object["webhooks"]?.elements
        else { return body }
        object["webhooks"] = .array(
            webhooks.map { webhook in
                var webhook = webhook
                webhook["matchConditions"] = nil
                return webhook
            })
        return object.rendered()
    }

    func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        try await api.create(dropped(object), in: collection, options)
    }
}
