// SPDX-License-Identifier: Apache-2.0
import Glibc
import LoopbackPKI
import S3Server
import Testing

/// `rclone serve s3` on files. Without versions and conditions of writes; what it is told of tags
/// it takes for an object's content.
private enum Rclone {
    static let bench = Result {
        try RealObjectStoreBench(.rclone, features: [], gaps: gaps)
    }
    static let gaps = [
        "a time of expiry comes back as it was given": "keeps no Expires",
        "more last bytes than there are are all": "refuses such a range",
        "conditions of reads": "ignores If-Match",
        "a condition of reads may name several tags": "ignores If-Match",
        "a copy may want its source to be as it was": "ignores x-amz-copy-source-if-match",
        "a copy has its source's content and its own attributes":
            "adds the source's attributes and a time",
        "a part may come from within the store":
            "cannot do it: https://github.com/rclone/rclone/issues/7454",
        "a part that is too small and not the last completes nothing": "takes parts of any size",
        "parts that are not in order complete nothing": "takes any order",
        "a delimiter rolls keys up, page by page": "rolls up at / only",
    ]
}

/// moto's server.
private enum Moto {
    static let bench = Result {
        try RealObjectStoreBench(
            .moto, features: Set(ObjectStoreFeature.allCases), gaps: gaps)
    }
    static let gaps = [
        "a condition of reads may name several tags": "takes a list for one tag",
        "a copy may want its source to be as it was": "ignores x-amz-copy-source-if-match",
        "a part may come from within the store": "ignores x-amz-copy-source-if-none-match",
        "each of several deletions may want a tag to be there": "ignores ETag in the document",
        "a mark of a deletion cannot be read": "says NoSuchVersion instead of MethodNotAllowed",
        "a deletion of a mark says so": "does not",
        "uploads are listed by key, page by page, each by itself": "ignores max-uploads",
        "an aborted upload takes nothing more": "says InternalError instead of NoSuchUpload",
        "parts are listed by number, page by page": "takes numbers for indices",
        "parts that are not in order complete nothing": "takes any order",
    ]
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
