// SPDX-License-Identifier: Apache-2.0
import AdmissionTrust
import KubernetesFormat
import KubernetesPorts
import Operator
import SimulatedCluster
import SimulationEngine
import Synchronization
import Testing

@Suite("The webhook's certificates") struct WebhookTrustTests {
    @Test("the first replica makes everything, and serves when it is believed")
    func first() throws {
        let world = try world(seconds: 60) { $0.spawn("one") }
        #expect(world.served.count == 1)
        #expect(
            world.reports == [
                .secretReplaced(nil), .configurationWritten(wasMissing: true), .served,
            ])
        // API servers that are behind cannot know it yet.
        #expect(world.refusedAt.allSatisfy { $0 <= TrustWorld.lag + 1 })
        #expect(world.acceptedCount > 30)
    }

    @Test("replicas that begin at once share one Secret")
    func race() throws {
        let world = try world(seconds: 60) { world in
            for name in ["one", "two", "three"] { world.spawn(name) }
        }
        #expect(Set(world.served.values).count == 1)
        #expect(world.reports.count(of: .secretReplaced(nil)) == 1)
        #expect(world.reports.count(of: .configurationWritten(wasMissing: true)) == 1)
    }

    @Test("a leaf is renewed in time, and nobody is refused for it")
    func leaf() throws {
        // 960 s from backdate to end: renewed 580 s after it was made.
        for (seconds, count) in [(570, 0), (600, 1)] {
            let world = try world(seconds: seconds) { world in
                world.spawn("one")
                world.spawn("two", after: .seconds(3))
            }
            #expect(world.reports.count(of: .leafRenewed) == count)
            #expect(world.refusedAt.allSatisfy { $0 <= TrustWorld.lag + 1 })
            #expect(world.holdings?.authorities.count == 1)
        }
    }

    @Test("an authority follows another without anybody being refused")
    func rotation() throws {
        var during: [Int] = []
        let world = try world(seconds: 4400) { world in
            world.spawn("one")
            world.spawn("two", after: .seconds(3))
            // 6,060 s of life: followed 3,980 s after it was made.
            for second in [3970, 3990, 4050, 4170, 4300] {
                world.run.after(.seconds(second)) {
                    during.append(world.holdings?.authorities.count ?? 0)
                }
            }
        }
        #expect(during == [1, 2, 2, 2, 1])
        #expect(world.reports.count(of: .authorityAdded) == 1)
        #expect(world.reports.count(of: .authoritiesDropped) == 1)
        #expect(world.refusedAt.allSatisfy { $0 <= TrustWorld.lag + 1 }, "\(world.refusedAt)")
    }

    @Test("control: without settling, API servers that are behind refuse the new certificate")
    func control() throws {
        let world = try world(seconds: 200) { world in
            world.times = TrustWorld.times(settle: 0)
            world.spawn("one")
            world.run.after(.seconds(100)) { world.delete(TrustWorld.secret) }
        }
        #expect(world.refusedAt.contains { $0 > 100 })
        #expect(world.refusedAt.allSatisfy { $0 <= 100 + TrustWorld.lag + 2 }, "\(world.refusedAt)")
    }

    @Test("a replica that begins without a Secret is in nobody's way")
    func restarted() throws {
        var readyAt: [Int] = []
        let world = try world(seconds: 400) { world in
            world.spawn("one")
            world.spawn("two", after: .seconds(3))
            world.run.after(.seconds(100)) {
                // Two writes before one looks: it holds nothing of the Secret that one had.
                world.run.pause("one")
                world.run.crash("two")
                world.delete(TrustWorld.secret)
                world.run.restart("two")
            }
            world.run.after(.seconds(105)) { world.run.resume("one") }
            for second in [99, 110, 125, 140] {
                world.run.after(.seconds(second)) {
                    if world.trusts["two"]?.isReady == true { readyAt.append(second) }
                }
            }
        }
        #expect(readyAt == [99, 140], "it waits until API servers have its authority")
        #expect(Set(world.served.values).count == 1)
        #expect(world.reports.count(of: .authoritiesDropped) == 1)
        #expect(world.refusedAt.allSatisfy { $0 <= TrustWorld.lag + 1 }, "\(world.refusedAt)")
    }

    @Test("one that begins when everything is long there, is ready at once")
    func joined() throws {
        var isReady: Bool?
        _ = try world(seconds: 200) { world in
            world.spawn("one")
            world.spawn("two", after: .seconds(100))
            world.run.after(.seconds(102)) { isReady = world.trusts["two"]?.isReady }
        }
        #expect(isReady == true)
    }

    @Test("a Secret that is deleted is made again, and nobody is refused for it")
    func deleted() throws {
        let world = try world(seconds: 450) { world in
            world.spawn("one")
            world.spawn("two", after: .seconds(3))
            world.run.after(.seconds(100)) { world.delete(TrustWorld.secret) }
        }
        #expect(world.reports.count(of: .secretReplaced(nil)) == 2)
        #expect(world.reports.count(of: .authoritiesDropped) == 1)
        #expect(world.holdings?.authorities.count == 1, "the old authority is believed no more")
        #expect(world.refusedAt.allSatisfy { $0 <= TrustWorld.lag + 1 }, "\(world.refusedAt)")
    }

    /// Found by `make soak`, scenario webhook-certificates.
    @Test("whoever missed a new authority does not drop it when the Secret is deleted again")
    func deletedBehindTheBack() throws {
        let world = try world(seconds: 300) { world in
            world.spawn("one")
            world.spawn("two", after: .seconds(3))
            let run = world.run
            run.after(.seconds(90)) { run.pause("one") }
            // The other makes a new authority, and serves a certificate of it.
            run.after(.seconds(100)) { world.delete(TrustWorld.secret) }
            run.after(.seconds(199)) { run.pause("two") }
            run.after(.seconds(200)) {
                world.delete(TrustWorld.secret)
                run.resume("one")
            }
            run.after(.seconds(250)) { run.resume("two") }
        }
        #expect(world.reports.count(of: .secretReplaced(nil)) == 3)
        #expect(world.refusedAt.allSatisfy { $0 <= TrustWorld.lag + 1 }, "\(world.refusedAt)")
    }

    /// A limit, found by `make soak`; the control is somebody who is there and knows it.
    @Test(
        "with Secret and configuration gone at once, nobody knows what a replica that hangs serves",
        arguments: [true, false])
    func erased(_ hangs: Bool) throws {
        let world = try world(seconds: 300) { world in
            world.spawn("one")
            let run = world.run
            if hangs { run.after(.seconds(99)) { run.pause("one") } }
            run.after(.seconds(100)) {
                world.delete(TrustWorld.secret)
                world.delete(TrustWorld.configuration)
            }
            world.spawn("two", after: .seconds(101))
            run.after(.seconds(150)) { run.resume("one") }
        }
        let refused = world.refusedAt.filter { $0 > TrustWorld.lag + 1 }
        let times = 100...(151 + TrustWorld.lag)
        #expect(refused.contains { $0 >= 122 } == hangs, "\(refused)")
        #expect(refused.allSatisfy(times.contains), "\(refused)")
        #expect(world.isSettled)
    }

    /// What somebody may have made of the Secret.
    static let damages:
        [(name: String, fault: CertificateFault?, change: @Sendable (inout JSONTree) -> Void)] = [
            ("no content", .entriesMissing, { $0["data"] = nil }),
            ("foreign content", .entriesMissing, { $0["data"] = ["password": "QQ=="] }),
            ("no authorities", .authoritiesMissing, { $0.setEntry("ca.crt", "IyBub25lCg==") }),
            (
                "no certificate",
                .malformed(.malformed(detail: "a certificate is no PEM of the simulator's")),
                { $0.setEntry("tls.crt", "QQ==") }
            ),
            ("another key", .keyForeign, { $0.setEntry("ca.key", "QQ==") }),
            ("another key of the leaf", .keyForeign, { $0.setEntry("tls.key", "QQ==") }),
            (
                "an authority as leaf", .roleWrong,
                { $0.setEntry("tls.crt", $0.value(at: "data", "ca.crt")?.text ?? "") }
            ),
            (
                "an immutable one", nil,
                {
                    $0["data"] = [:]
                    $0["immutable"] = true
                }
            ),
            (
                "another type", nil,
                {
                    $0["data"] = [:]
                    $0["type"] = "Opaque"
                }
            ),
        ]

    @Test(
        "content of no use is replaced, told as an Event, and nobody is refused for it",
        arguments: 0..<9)
    func damaged(_ index: Int) throws {
        let damage = Self.damages[index]
        let world = try world(seconds: 450) { world in
            world.spawn("one")
            world.spawn("two", after: .seconds(3))
            world.run.after(.seconds(100)) {
                world.change(TrustWorld.secret) { damage.change(&$0) }
            }
        }
        // The first was made because there was none.
        let count = world.reports.count(of: .secretReplaced(damage.fault))
        #expect(count == (damage.fault == nil ? 2 : 1), "\(world.reports)")
        #expect(world.refusedAt.allSatisfy { $0 <= TrustWorld.lag + 1 }, "\(world.refusedAt)")
        guard damage.fault != nil else { return }
        let event = try #require(world.events.first)
        #expect(world.events.count == 1)
        #expect(event["reason"] == "CertificatesReplaced")
        #expect(event.value(at: "involvedObject", "name") == "certificates")
    }

    @Test("leaf and authority of strangers are not taken over")
    func foreign() throws {
        let world = try world(seconds: 60) { world in
            guard let times = TrustWorld.times() else { return }
            let now: Int64 = 1_767_225_600
            guard let one = try? world.issuer.authority(times.authorityRequest(at: now)),
                let two = try? world.issuer.authority(times.authorityRequest(at: now)),
                let leaf = try? world.issuer.leaf(
                    times.leafRequest(for: TrustWorld.names, at: now, until: now + 9000), by: two)
            else { return }
            let holdings = CertificateHoldings(
                authorities: [one.certificate], authorityKey: one.privateKey, leaf: leaf)
            let secret = CertificateSecret(name: "certificates", namespace: TrustWorld.namespace)
            if let body = try? JSONTree(secret.rendered(holdings)) {
                world.create(body, in: TrustWorld.secret.collection)
            }
            world.spawn("one")
        }
        #expect(world.reports.first == .secretReplaced(.leafForeign))
    }
}

@Suite("The webhook's configuration in the cluster") struct WebhookHealingTests {
    @Test("is put right when somebody changes or deletes it")
    func heals() throws {
        let world = try world(seconds: 300) { world in
            world.spawn("one")
            world.spawn("two", after: .seconds(3))
            world.run.after(.seconds(60)) { world.delete(TrustWorld.configuration) }
            world.run.after(.seconds(120)) {
                world.change(TrustWorld.configuration) { $0["webhooks"] = [] }
            }
            world.run.after(.seconds(180)) {
                world.change(TrustWorld.configuration) { object in
                    var webhooks = object["webhooks"]?.elements ?? []
                    webhooks[0]["failurePolicy"] = "Ignore"
                    object["webhooks"] = .array(webhooks)
                    object.setMetadata("annotations", ["team": "a"])
                }
            }
        }
        #expect(world.reports.count(of: .configurationWritten(wasMissing: true)) == 2)
        #expect(world.reports.count(of: .configurationWritten(wasMissing: false)) == 2)
        let object = try #require(world.stored(TrustWorld.configuration))
        #expect(object.value(at: "metadata", "annotations", "team") == "a")
        // Within seconds, by a watch: a lagging client misses it for as long.
        #expect(world.refusedAt.filter { $0 > 25 }.count < 40, "\(world.refusedAt)")
    }

    @Test("is put right without watches and through lost answers")
    func gaps() throws {
        let world = try world(seconds: 600) { world in
            world.fault = { call, count in
                if call.verb == .watch { return .before(.gone) }
                guard count % 3 == 0 else { return nil }
                let lost = KubernetesFailure.timedOut(host: "server")
                return count % 2 == 0 ? .before(lost) : .answerLost(lost)
            }
            world.spawn("one")
            world.spawn("two", after: .seconds(3))
            world.run.after(.seconds(150)) { world.delete(TrustWorld.configuration) }
            world.run.after(.seconds(300)) { world.delete(TrustWorld.secret) }
            world.run.after(.seconds(400)) { world.fault = { _, _ in nil } }
        }
        #expect(world.reports.count(of: .failed(.timedOut(host: "server"))) > 0)
        #expect(Set(world.served.values).count == 1)
    }

    @Test("a server that forgets the history tells everything anew")
    func compacted() throws {
        let world = try world(seconds: 200) { world in
            world.spawn("one")
            for second in stride(from: 20, to: 150, by: 10) {
                world.run.after(.seconds(second)) {
                    world.change(TrustWorld.configuration) { $0["webhooks"] = [] }
                    world.cluster.withServer { $0.compact() }
                }
            }
        }
        #expect(world.reports.count(of: .configurationWritten(wasMissing: false)) >= 3)
    }

    @Test("watches that end at once keep nobody busy")
    func endingWatches() throws {
        let count = Mutex(0)
        let seconds = 200
        _ = try world(seconds: seconds) { world in
            world.wrap = { api in EndingAPI(api: api) { count.withLock { $0 += 1 } } }
            world.spawn("one")
        }
        // Of the Secret and of the configuration, with a pause of a second.
        let watches = count.withLock { $0 }
        #expect(watches > seconds / 2 && watches <= 2 * seconds, "\(watches)")
    }

    @Test("who may not write it is not ready, and serves nothing")
    func forbidden() throws {
        var isReady: Bool?
        var served = -1
        let denied = KubernetesFailure.forbidden(message: "no")
        let world = try world(seconds: 300) { world in
            world.fault = { call, _ in
                let isWrite = call.verb == .create || call.verb == .replace
                return isWrite && call.collection == TrustWorld.configuration.collection
                    ? .before(denied) : nil
            }
            world.spawn("one")
            world.run.after(.seconds(100)) {
                isReady = world.trusts["one"]?.isReady
                served = world.served.count
                world.fault = { _, _ in nil }
            }
        }
        #expect(isReady == false && served == 0)
        #expect(world.reports.count(of: .failed(denied)) > 2)
    }

    @Test("an issuer that fails is tried again")
    func issuer() throws {
        let world = try world(seconds: 100) { world in
            world.issuer.setBroken(true)
            world.spawn("one")
            world.run.after(.seconds(30)) { world.issuer.setBroken(false) }
        }
        #expect(world.reports.count(of: .notIssued(.notIssued(detail: "broken"))) > 2)
    }

    @Test("a field that a later server fills in is no reason to write for ever")
    func normalized() throws {
        var made: TrustWorld?
        let limits = 300
        let world = try world(seconds: limits) { world in
            world.wrap = { FillingAPI(api: $0) }
            world.spawn("one")
            world.run.after(.seconds(100)) {
                world.change(TrustWorld.configuration) { $0["webhooks"] = [] }
            }
            made = world
        }
        #expect(made === world)
        #expect(world.reports.count(of: .configurationWritten(wasMissing: true)) == 1)
        #expect(world.reports.count(of: .configurationWritten(wasMissing: false)) == 1)
    }
}

/// Its watches end before anything comes.
private struct EndingAPI: ForwardingKubernetesAPI {
    let api: any KubernetesAPI
    let began: @Sendable () -> Void

    func watch(
        _ collection: ResourceCollection, _ selection: ObjectSelection,
        since resourceVersion: String, time: Duration,
        receive: (WatchEvent) async -> WatchDecision
    ) async throws(KubernetesFailure) {
        began()
        // As long as any call takes.
        _ = try await api.list(collection, selection, limit: 1, continuation: nil)
    }
}

/// Shows webhooks with a field that nobody asked for.
private struct FillingAPI: ForwardingKubernetesAPI {
    let api: any KubernetesAPI

    private func filled(_ body: [UInt8]) -> [UInt8] {
        guard var object = try? JSONTree(body), let webhooks = object["webhooks"]?.elements else {
            return body
        }
        object["webhooks"] = .array(
            webhooks.map { webhook in
                var webhook = webhook
                webhook["newField"] = "usual"
                return webhook
            })
        return object.rendered()
    }

    func get(_ object: ObjectReference) async throws(KubernetesFailure) -> [UInt8] {
        filled(try await api.get(object))
    }

    func create(
        _ object: [UInt8], in collection: ResourceCollection, _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        filled(try await api.create(object, in: collection, options))
    }

    func replace(
        _ reference: ObjectReference, with object: [UInt8], _ options: WriteOptions
    ) async throws(KubernetesFailure) -> [UInt8] {
        filled(try await api.replace(reference, with: object, options))
    }
}

extension JSONTree {
    fileprivate mutating func setEntry(_ name: String, _ value: String) {
        var data = self["data"] ?? [:]
        data[name] = .string(value)
        self["data"] = data
    }
}
