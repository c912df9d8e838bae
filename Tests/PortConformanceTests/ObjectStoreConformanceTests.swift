// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format
import SimulatedStorage
import Synchronization
import Testing

/// The fake.
final class SimulatedObjectStoreBench: ObjectStoreBench {
    let store: any ObjectStore
    let features = Set(ObjectStoreFeature.allCases)
    private let storage = SimulatedStorage()
    private let count = Mutex(0)

    /// - Parameter wrap: puts another store before the fake.
    init(wrap: (any ObjectStore) -> any ObjectStore = { $0 }) {
        store = wrap(SimulatedObjectStore(storage, now: { 1_795_737_600 }))
    }

    func bucket(hasVersions: Bool) async throws -> S3Bucket {
        let number = count.withLock {
            $0 += 1
            return $0
        }
        let bucket = try #require(S3Bucket("check-\(number)"))
        storage.withServer { $0.addBucket(bucket, hasVersions: hasVersions) }
        return bucket
    }
}

@Suite("ObjectStore: the fake") struct SimulatedObjectStoreTests {
    @Test(arguments: ObjectStoreCheck.all)
    func `does as every store does`(_ check: ObjectStoreCheck) async throws {
        let bench = SimulatedObjectStoreBench()
        #expect(check.needs.isSubset(of: bench.features), "nothing is left out")
        try await check.run(bench)
    }

    @Test func `has one name for each check`() {
        let names = ObjectStoreCheck.all.map(\.testDescription)
        #expect(Set(names).count == names.count)
    }
}

@Suite("ObjectStore: stores that break one line of the contract")
struct ObjectStoreBrokenCopyTests {
    @Test(arguments: BrokenObjectStore.Fault.allCases)
    func `are found out`(_ fault: BrokenObjectStore.Fault) async throws {
        #expect(!fault.foundBy.isEmpty)
        for name in fault.foundBy {
            let check = try #require(
                ObjectStoreCheck.all.first { $0.testDescription == name }, "no check: \(name)")
            let bench = SimulatedObjectStoreBench { BrokenObjectStore(store: $0, fault: fault) }
            await #expect(throws: (any Error).self, "\(fault): \(name)") {
                try await check.run(bench)
            }
        }
    }
}
