// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format

extension ObjectStoreBench {
    func pass(
        _ operation: S3Operation, _ bucket: S3Bucket?, query: [S3Query.Parameter] = [],
        body: String = ""
    ) async throws -> PassedAnswer {
        let own = operation.selector.map { [S3Query.Parameter($0)] } ?? []
        return try await store.passOn(
            PassedRequest(
                operation, bucket.map { .bucket($0) } ?? .service, query: own + query,
                body: Array(body.utf8)))
    }

    /// A new one, as clients make them.
    func make(_ bucket: S3Bucket, hasVersions: Bool) async throws {
        let made = try await pass(.createBucket, bucket)
        try require(made.status == 200, "create: \(made.status)")
        guard hasVersions else { return }
        let enabled = try await pass(
            .putBucketVersioning, bucket,
            body: "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                + "<Status>Enabled</Status></VersioningConfiguration>")
        try require(enabled.status == 200, "versioning: \(enabled.status)")
    }

    fileprivate func names() async throws -> [String] {
        let answer = try await pass(.listBuckets, nil)
        try require(answer.status == 200, "list: \(answer.status)")
        let list = try XMLReader.read(answer.body).first("Buckets")
        return list?.all("Bucket").compactMap { $0.text("Name") } ?? []
    }
}

extension PassedAnswer {
    fileprivate var code: String? { (try? S3ErrorDocument(body))?.code }
}

extension ObjectStoreCheck {
    static let buckets = [
        ObjectStoreCheck("a bucket is made, found, listed and deleted") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let location = try bench.location(bucket, "key")
            try require(try await bench.names().contains(bucket.name), "it is not listed")
            try require(try await bench.pass(.headBucket, bucket).status == 200, "head")
            try await bench.put(location, content(10))
            let full = try await bench.pass(.deleteBucket, bucket)
            try require(full.status == 409, "not empty: \(full.status)")
            try require(full.code == "BucketNotEmpty", "not empty: \(full.code ?? "")")
            try await bench.requireContent(location.latest, content(10), "the object")
            _ = try await bench.store.delete(location.latest, .none)
            try require(try await bench.pass(.deleteBucket, bucket).status == 204, "delete")
            try require(try await bench.pass(.headBucket, bucket).status == 404, "it is there")
            try require(try await !bench.names().contains(bucket.name), "it is listed")
        },
        ObjectStoreCheck("a bucket that is not there is answered as the store does") { bench in
            guard let absent = S3Bucket("no-such-bucket-anywhere") else { return }
            let head = try await bench.pass(.headBucket, absent)
            try require(head.status == 404 && head.body.isEmpty, "head: \(head.status)")
            let location = try await bench.pass(.getBucketLocation, absent)
            try require(location.status == 404, "location: \(location.status)")
            try require(location.code == "NoSuchBucket", "location: \(location.code ?? "")")
        },
        ObjectStoreCheck("a bucket says where it is") { bench in
            let bucket = try await bench.bucket(hasVersions: false)
            let answer = try await bench.pass(.getBucketLocation, bucket)
            try require(answer.status == 200, "\(answer.status)")
            try require(
                try XMLReader.read(answer.body).name == "LocationConstraint", "no location")
        },
        ObjectStoreCheck("versions are turned on", needs: [.versions]) { bench in
            for hasVersions in [false, true] {
                let bucket = try await bench.bucket(hasVersions: hasVersions)
                let answer = try await bench.pass(.getBucketVersioning, bucket)
                let status = try XMLReader.read(answer.body).text("Status")
                try require((status == "Enabled") == hasVersions, "\(status ?? "nothing")")
            }
        },
        ObjectStoreCheck("what is no business of buckets is not passed on") { bench in
            let location = try await bench.location()
            try await bench.put(location, content(10))
            try await requireFailure("an object", { $0.effect == .none }) {
                try await bench.store.passOn(
                    PassedRequest(.deleteObject, .object(location.bucket, location.key)))
            }
            let most = ObjectStoreLimits.passedBytesMax
            try await requireFailure("too much", { $0 == .tooLarge }) {
                try await bench.store.passOn(
                    PassedRequest(
                        .putBucketPolicy, .bucket(location.bucket), query: [.init("policy")],
                        body: Array(repeating: 0x20, count: most + 1)))
            }
            try await bench.requireContent(location.latest, content(10), "the object")
        },
    ]
}
