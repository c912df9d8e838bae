// SPDX-License-Identifier: Apache-2.0
package import ObjectKeyPorts
package import ObjectServerPorts
package import ObjectStorePorts
internal import SealedObject
package import SimulationEngine

/// Clients write and read through replicas of the S3 proxy while the store and the vault fail in
/// every way, replicas crash and hang, clients leave and clocks are wrong.
package struct ObjectProxyScenario: SimulatedScenario {
    package static let name = "object-proxy"
    package static let summary = "Objects are sealed and read while the store and the vault fail."
    package static let sometimes = [
        "object-proxy.put", "object-proxy.read", "object-proxy.listed", "object-proxy.deleted",
        "object-proxy.copied", "object-proxy.completed", "object-proxy.completed-again",
        "object-proxy.completed-twice", "object-proxy.aborted", "object-proxy.part-again",
        "object-proxy.parts-listed", "object-proxy.unknown", "object-proxy.cut",
        "object-proxy.crashed", "object-proxy.sealed", "object-proxy.client-gone",
        "object-proxy.waited-in-vain", "object-proxy.skewed", "object-proxy.kept",
    ]
    package static let limits = RunLimits(
        duration: .seconds(900), stepsMax: 3_000_000, stepsAtOnceMax: 200_000)

    package static func makeOracles() -> [any Oracle] {
        StandardOracles.make() + [
            ObjectIntegrityOracle(), NonceOracle(), UploadOracle(), ObjectRequestOracle(),
        ]
    }

    /// What the broken copies change.
    package struct Tampering: Sendable {
        package var wrapStore: @Sendable (any ObjectStore) -> any ObjectStore = { $0 }
        package var wrapSalts: @Sendable (any SaltSource) -> any SaltSource = { $0 }
        package var wrapCustodian: @Sendable (any KeyCustodian) -> any KeyCustodian = { $0 }
        package var wrapHandler: @Sendable (any RequestHandler) -> any RequestHandler = { $0 }

        package init() {}
    }

    private let tampering: Tampering

    package init() { tampering = Tampering() }
    package init(tampering: Tampering) { self.tampering = tampering }

    package func build(in run: SimulationRun) {
        run.oracles.oracle(ConvergenceOracle.self)?.within = ObjectWorld.within
        guard let world = ObjectWorld(run, tampering) else {
            preconditionFailure("no memory for the keys of a simulation")
        }
        run.report(ConditionChanged("readable", holds: false))
        for name in world.plan.replicas { run.spawn(name) { await world.work($0) } }
        let count = world.plan.manyParts
        if count > 0 {
            run.spawn("client-1") { context in
                await context.clock.sleep(for: .seconds(1))
                await ObjectClient(world, context.clock).uploadMany("many", count)
            }
        } else {
            for number in 1...world.plan.clients {
                let name = "client-\(number)"
                drawSkew(name, run)
                run.spawn(name) { await ObjectClient(world, $0.clock).work() }
            }
        }
        world.upset()
        run.spawn("verifier") { context in
            await context.clock.sleep(for: ObjectWorld.verifyTime)
            await ObjectClient(world, context.clock).verify()
        }
    }

    /// Far enough from the bound that the network's time does not matter.
    private func drawSkew(_ name: String, _ run: SimulationRun) {
        let skews: [Int64] = [0, 0, 0, 0, 0, 60, -60, 700, -700, 1_200, -1_200]
        var skew = ClockSkew()
        skew.offsetSeconds = run.choices.pick(skews, label: "workload/skew")
        guard skew.offsetSeconds != 0 else { return }
        run.skews[name] = skew
        if abs(skew.offsetSeconds) > ObjectRequestOracle.skewMax {
            run.marks.hit("object-proxy.skewed")
        }
    }
}

extension ObjectProxyScenario {
    package static let canaries = StandardCanaries.all + integrity + others

    private static let integrity = [
        OracleCanary("object-integrity/lost", oracle: "object-integrity") { run in
            write(1, run)
            read(1, .absent, run)
        },
        OracleCanary("object-integrity/old", oracle: "object-integrity") { run in
            write(1, run)
            write(2, run)
            read(1, .content(1), run)
        },
        OracleCanary("object-integrity/refused-and-there", oracle: "object-integrity") { run in
            write(1, run, .none)
            read(1, .content(1), run)
        },
        OracleCanary("object-integrity/mixture", oracle: "object-integrity") { run in
            write(1, run)
            read(1, .wrong("reads other bytes"), run)
        },
        OracleCanary("object-integrity/size", oracle: "object-integrity") { run in
            write(1, run)
            read(1, .size(11), run)
        },
        OracleCanary("object-integrity/unreadable", oracle: "object-integrity") { run in
            write(1, run)
            read(1, .failed, run)
        },
        OracleCanary("object-integrity/not-listed", oracle: "object-integrity") { run in
            write(1, run)
            run.report(ObjectReadBegan(1))
            run.report(ObjectsListed(1, sizes: [:], isStale: false, hadTrouble: false))
        },
        OracleCanary("object-integrity/listed-size", oracle: "object-integrity") { run in
            write(1, run)
            run.report(ObjectReadBegan(1))
            run.report(ObjectsListed(1, sizes: ["key": 9], isStale: false, hadTrouble: false))
        },
    ]

    private static func write(
        _ id: Int, _ run: SimulationRun, _ outcome: ObjectWriteEnded.Outcome = .acknowledged
    ) {
        run.report(ObjectWriteBegan(id, key: "key", .content(id, size: 10)))
        run.report(ObjectWriteEnded(id, outcome))
    }

    private static func read(_ id: Int, _ seen: ObjectReadEnded.Seen, _ run: SimulationRun) {
        run.report(ObjectReadBegan(id))
        run.report(ObjectReadEnded(id, key: "key", seen, hadTrouble: false))
    }

    private static let others = [
        OracleCanary("nonce-reuse/nonce", oracle: "nonce-reuse") { run in
            for hash in [1, 2] as [UInt64] { seal(key: 1, salt: nil, hash, run) }
        },
        OracleCanary("nonce-reuse/salt", oracle: "nonce-reuse") { run in
            let salt = Octets32(.init(repeating: 7))
            for key in [1, 2] as [UInt64] { seal(key: key, salt: salt, 1, run) }
        },
        OracleCanary("upload-state/left", oracle: "upload-state") { run in
            run.report(UploadJudged.closed(upload: "u", left: 1))
        },
        OracleCanary("upload-state/part", oracle: "upload-state") { run in
            run.report(UploadJudged.partMissing(upload: "u", number: 1))
        },
        OracleCanary("request-time/served", oracle: "request-time") { run in
            judge(1_000, true, wasRefused: false, run)
        },
        OracleCanary("request-time/wrong-key", oracle: "request-time") { run in
            judge(0, false, wasRefused: false, run)
        },
        OracleCanary("request-time/refused", oracle: "request-time") { run in
            judge(0, true, wasRefused: true, run)
        },
    ]

    private static func seal(
        key: UInt64, salt: Octets32?, _ hash: UInt64, _ run: SimulationRun
    ) {
        run.report(
            ChunkSealed(
                key: .init(number: key), nonce: .single, salt: salt, plaintextHash: hash))
    }

    private static func judge(
        _ seconds: Int64, _ hasRightKey: Bool, wasRefused: Bool, _ run: SimulationRun
    ) {
        run.report(
            ObjectRequestJudged(
                secondsApart: seconds, hasRightKey: hasRightKey, wasRefused: wasRefused))
    }
}
