// SPDX-License-Identifier: Apache-2.0
internal import Checksums
internal import Ports
internal import S3Format
internal import S3Proxy
internal import SealedObject
internal import SimulatedStorage
internal import SimulationEngine

/// What a run of `ObjectProxyScenario` is like, drawn once.
struct ObjectPlan {
    static let region = "eu-sim-1"
    static let transitKey = "objects"

    let replicas: [String]
    let clients: Int
    /// Parts of one upload of many small ones; 0: others are played.
    let manyParts: Int
    let partBytesMin: Int
    let chunkBytes: Int
    let latency: ClosedRange<Int>
    let keepAlivePause: Duration
    private let modes: [String: KeyRingSettings.Mode]
    private let keyTime: Int

    init(_ choices: Choices) {
        func draw(_ bound: Int) -> Int { choices.draw(below: bound, label: "workload/plan") }
        replicas = (0...draw(3)).map { "proxy-\($0 + 1)" }
        clients = 1 + draw(4)
        let isOfMany = choices.happens(1, in: 200, label: "workload/many")
        manyParts = isOfMany ? choices.pick([300, 1200, 9_999], label: "workload/many") : 0
        partBytesMin = isOfMany ? 1 : [1_000, 1, 70_000, 200][draw(4)]
        chunkBytes = [64 << 10, 10_000, 700][draw(3)]
        latency = isOfMany ? 1...2 : 1...120
        keepAlivePause = .milliseconds([10_000, 100][draw(2)])
        keyTime = [3600, 60, 20][draw(3)]
        var modes: [String: KeyRingSettings.Mode] = [:]
        for name in replicas { modes[name] = draw(3) == 2 ? .object : .epoch }
        self.modes = modes
    }

    func settings(of replica: String) -> S3ProxyPolicy {
        var keys = KeyRingSettings(transitKey: Self.transitKey)
        keys.mode = modes[replica] ?? .epoch
        keys.epochTime = .seconds(keyTime)
        keys.confirmationTime = .seconds(max(1, keyTime / 4))
        keys.lifetime = .seconds(keyTime)
        var settings = S3ProxyPolicy(region: Self.region, keys: keys)
        settings.tenant = "tenant"
        settings.partBytesMin = Int64(partBytesMin)
        settings.keepAlivePause = keepAlivePause
        return settings
    }
}

/// A content that a client writes.
struct ObjectContent {
    let number: Int
    let bytes: [UInt8]

    var value: ObjectValue { .content(number, size: Int64(bytes.count)) }
}

/// The world of `ObjectProxyScenario`: a store, a vault, replicas, and what clients wrote.
final class ObjectWorld: @unchecked Sendable {
    /// Faults end.
    static let healTime = Duration.seconds(240)
    /// What was under way has ended by then, and clients look at everything.
    static let verifyTime = Duration.seconds(330)
    /// Objects are readable again so long after the end of faults.
    static let within = Duration.seconds(170)

    let run: SimulationRun
    let tampering: ObjectProxyScenario.Tampering
    let plan: ObjectPlan
    let storage = SimulatedStorage()
    let vault: ObjectVault
    let salts: ObjectSalts
    let credentials: ObjectCredentials
    let bucket: S3Bucket
    /// Eight bytes of it are in each content and in each object's metadata.
    let secret: [UInt8]
    private(set) var contents: [ObjectContent] = []
    private(set) var keys: Set<String> = []
    var uploads: [ObjectClientUpload] = []
    private var replicas: [String: ObjectReplica] = [:]
    private var writes = 0
    private var reads = 0
    /// Crashes, pauses, the vault's seal: what no fault class counts.
    private(set) var upsets = 0

    init?(_ run: SimulationRun, _ tampering: ObjectProxyScenario.Tampering) {
        guard let vault = try? ObjectVault(run), let bucket = S3Bucket("bucket") else {
            return nil
        }
        self.run = run
        self.tampering = tampering
        self.vault = vault
        self.bucket = bucket
        plan = ObjectPlan(run.choices)
        salts = ObjectSalts(run)
        secret = run.choices.seededBytes(12, label: "entropy/secret/content")
        run.report(SecretRegistered("content", bytes: secret))
        run.report(SecretRegistered("metadata", bytes: Array(Self.text(secret).utf8)))
        let key = Self.text(run.choices.seededBytes(20, label: "entropy/secret/client"))
        credentials = ObjectCredentials(secret: Array(key.utf8))
        run.report(SecretRegistered("credential", bytes: credentials.secret))
        let least = plan.partBytesMin
        storage.withServer {
            $0.addBucket(bucket, hasVersions: false)
            $0.partBytesMin = Int64(least)
        }
    }

    static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.map { UInt8(ascii: "a") + $0 % 26 }, as: UTF8.self)
    }

    // MARK: - Contents

    func newContent(_ size: Int) -> ObjectContent {
        var mixer = WordMixer(run.seed)
        mixer.add(UInt64(contents.count))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + 32)
        while bytes.count < size {
            // The secret is in what each chunk begins with, and at the end.
            if bytes.count % 65_536 < 24 { bytes += secret }
            bytes += SimulatedCipher.Words(mixer).bytes
            _ = mixer.next()
        }
        bytes.removeLast(bytes.count - size)
        let content = ObjectContent(number: contents.count, bytes: bytes)
        contents.append(content)
        return content
    }

    func digest(_ bytes: [UInt8]) -> [UInt8] {
        SimulatedDigests().digest(.sha256, of: bytes.span.bytes)
    }

    /// A hash of content is as good as the content for whoever can guess it.
    func guardHashes(of bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        for algorithm in [DigestAlgorithm.sha256, .md5] {
            let digest = SimulatedDigests().digest(algorithm, of: bytes.span.bytes)
            run.report(SecretRegistered("hash", bytes: Array(digest.prefix(12))))
        }
    }

    // MARK: - What oracles are told

    func begin(_ key: String, _ value: ObjectValue) -> Int {
        writes += 1
        keys.insert(key)
        run.report(ObjectWriteBegan(writes, key: key, value))
        return writes
    }

    func beginRead() -> Int {
        reads += 1
        run.report(ObjectReadBegan(reads))
        return reads
    }

    /// Changes whenever something goes wrong.
    var troubles: Int { upsets + vault.failures + run.faults.fired.values.reduce(0, +) }

    func upsetHappened() { upsets += 1 }

    var staleLists: Int { run.faults.fired["objects.stale", default: 0] }

    /// Since that number of troubles, or just now.
    func hadTrouble(since before: Int) -> Bool {
        let isStanding = plan.replicas.allSatisfy { run.component($0)?.state == .running }
        return troubles != before || vault.isSealed || !isStanding
    }

    // MARK: - Replicas

    func work(_ context: ComponentContext) async {
        let replica = ObjectReplica(context, self)
        replicas[context.name] = replica
        await replica.work()
    }

    /// nil: nobody listens there.
    func replica(_ name: String) -> ObjectReplica? {
        guard let state = run.component(name)?.state, state == .running || state == .paused
        else { return nil }
        return replicas[name]
    }

    private func crash(_ name: String) {
        guard let replica = replica(name) else { return }
        upsets += 1
        replica.tellMetrics()
        run.crash(name)
        replica.crashed()
        replicas[name] = nil
    }

    /// What happens to replicas and vault, until faults end.
    func upset() {
        for name in plan.replicas {
            run.drawUpsets(in: 5...200, secondsMax: 40, kinds: 2) { [self] kind, length in
                switch kind {
                case 0:
                    crash(name)
                    run.marks.hit("object-proxy.crashed")
                    run.after(length) { [self] in restart(name) }
                default:
                    upsets += 1
                    run.pause(name)
                    run.after(length) { [self] in
                        upsets += 1
                        run.resume(name)
                    }
                }
            }
        }
        run.drawUpsets(in: 5...200, secondsMax: 60, kinds: 1) { [self] _, length in
            upsets += 1
            vault.isSealed = true
            run.after(length) { [self] in
                upsets += 1
                vault.isSealed = false
            }
        }
        run.after(Self.healTime) { [self] in
            run.heal()
            upsets += 1
            vault.isSealed = false
            for name in plan.replicas {
                run.resume(name)
                restart(name)
            }
        }
    }

    private func restart(_ name: String) {
        guard run.component(name)?.state == .crashed else { return }
        upsets += 1
        run.restart(name)
    }

    // MARK: - The store

    /// Objects that the proxy keeps of an upload. Where they stand is said here a second time.
    func stateCount(of upload: String, key: String) -> Int {
        var bytes = Array("CT1 upload".utf8)
        for part in [bucket.name, key, upload] {
            let count = part.utf8.count
            bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
            bytes += Array(part.utf8)
        }
        let name = Base64URL.text(SimulatedCipher { _ in }.sha256(bytes).array)
        let prefix = ".cloudtaser/ct1/uploads/\(name)/"
        let bucket = bucket
        return storage.withServer { server in
            server.buckets[bucket]?.objects.keys.count { $0.text.hasPrefix(prefix) } ?? 0
        }
    }

    /// Tasks of crashed replicas stand still for ever; what they hold of the world goes.
    func forget() {
        for name in replicas.keys.sorted() { replicas[name]?.tellMetrics() }
        storage.withServer { $0 = SimulatedObjectServer() }
        vault.forget()
        contents = []
        uploads = []
    }
}
