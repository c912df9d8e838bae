// SPDX-License-Identifier: Apache-2.0
import Glibc
import LoopbackPKI
import S3Server
import Testing

/// `rclone serve s3` on files.
private enum Rclone {
    static let bench = Result {
        try RealObjectStoreBench(.rclone, features: [.tags], gaps: gaps)
    }
    static let gaps: [String: String] = [:]
}

/// moto's server.
private enum Moto {
    static let bench = Result {
        try RealObjectStoreBench(
            .moto, features: Set(ObjectStoreFeature.allCases), gaps: gaps)
    }
    static let gaps: [String: String] = [:]
}

@Suite(
    "RealRcloneStoreTests: the adapter on rclone's server, over TLS, with signatures checked",
    .enabled(if: S3Server.programs != nil, "CLOUDTASER_S3 names no directory"))
struct RealRcloneStoreTests {
    @Test(arguments: ObjectStoreCheck.all)
    func `does as every store does`(_ check: ObjectStoreCheck) async throws {
        try await Rclone.bench.get().prove(check)
    }

    @Test func `what is said to be missing is the name of a check`() {
        #expect(Set(Rclone.gaps.keys).isSubset(of: ObjectStoreCheck.names))
    }
}

@Suite(
    "RealMotoStoreTests: the adapter on moto's server, with versions, tags and conditions",
    .enabled(if: S3Server.programs != nil, "CLOUDTASER_S3 names no directory"))
struct RealMotoStoreTests {
    @Test(arguments: ObjectStoreCheck.all)
    func `does as every store does`(_ check: ObjectStoreCheck) async throws {
        try await Moto.bench.get().prove(check)
    }

    @Test func `what is said to be missing is the name of a check`() {
        #expect(Set(Moto.gaps.keys).isSubset(of: ObjectStoreCheck.names))
    }
}

/// Says how much was left out, in the run's last line.
@Suite("Real object stores") struct RealObjectStoreCountTests {
    @Test func `what was not run is counted`() {
        guard S3Server.programs == nil else { return }
        atexit {
            print(
                "not run: \(2 * ObjectStoreCheck.all.count) tests on real object stores "
                    + "(\(S3Server.variable) unset)")
        }
    }
}
