// SPDX-License-Identifier: Apache-2.0
import CryptoHasher
import LoopbackPKI
import ObjectStorePorts
import S3Format
import S3HTTP
import S3Server
import SecretMemory
import Synchronization

/// The adapter on a real server.
final class RealObjectStoreBench: ObjectStoreBench {
    let server: S3Server
    let store: any ObjectStore
    let features: Set<ObjectStoreFeature>
    let gaps: [String: String]
    private let count = Mutex(0)

    init(
        _ kind: S3Server.Kind, features: Set<ObjectStoreFeature>, gaps: [String: String]
    ) throws {
        server = try S3Server(kind, pki: LoopbackPKI())
        self.features = features
        self.gaps = gaps
        let memory = try SecretArena(bytes: 64 << 10, minimumTier: .ordinary)
        let secret = SecretBlock(S3Server.secret.utf8.count, in: memory) { bytes in
            bytes.copyBytes(from: S3Server.secret.utf8)
        }
        guard let secret else { throw ObjectStoreFinding(description: "no memory") }
        var settings = S3HTTPSettings(endpoint: server.endpoint, region: S3Server.region)
        settings.authorities = Array(server.pki.authority.certificatePEM.utf8)
        settings.allowsPlainHTTP = kind == .moto
        settings.connectTime = .seconds(60)
        // One server with one processor meets all checks at once.
        settings.connectionsMax = 16
        store = try S3HTTP(
            settings,
            credentials: FixedS3Credentials(
                S3Credential(accessKeyID: S3Server.accessKeyID, secret: secret)),
            CryptoHasher(), keyMemory: memory)
    }

    func bucket(hasVersions: Bool) async throws -> S3Bucket {
        let number = count.withLock {
            $0 += 1
            return $0
        }
        guard let bucket = S3Bucket("check-\(number)") else {
            throw ObjectStoreFinding(description: "no bucket")
        }
        try await make(bucket, hasVersions: hasVersions)
        return bucket
    }
}
