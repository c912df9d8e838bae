// SPDX-License-Identifier: Apache-2.0
import ObjectStorePorts
import S3Format
import S3Proxy
import SealedObject
import SimulatedStorage
import Testing

/// As large as S3 wants a part that is not the last.
private let partBytes = Int(S3Limits.partBytesMin)

extension Client {
    func createUpload(_ key: String, _ fields: [String: String] = [:]) async throws -> String {
        let reply = try await send("POST", key, query: [("uploads", "")], fields)
        #expect(reply.status == 200, "\(reply.text)")
        return try S3CreatedUpload(reply.body).uploadID
    }

    @discardableResult
    func part(
        _ key: String, _ id: String, _ number: Int, _ content: [UInt8]
    ) async throws -> S3NamedPart {
        let reply = try await send(
            "PUT", key, query: [("partNumber", String(number)), ("uploadId", id)], [:], content)
        #expect(reply.status == 200, "\(reply.text)")
        return S3NamedPart(number: number, tag: S3EntityTag(try #require(reply["etag"])))
    }

    func complete(
        _ key: String, _ id: String, _ parts: [S3NamedPart], keepsAlive: Bool = false
    ) async throws -> Reply {
        try await send(
            "POST", key, query: [("uploadId", id)], [:],
            S3CompleteRequest(parts: parts).rendered(), keepsAlive: keepsAlive)
    }
}

@Suite struct `An upload in parts` {
    /// Sizes of the parts of an upload.
    static let layouts = [
        [100], [0], [partBytes], [partBytes, 1], [partBytes, partBytes],
        [partBytes + 1, partBytes + 70_000, 65_536],
    ]

    @Test(arguments: layouts)
    func `becomes one object, whatever its last part`(_ sizes: [Int]) async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key", ["x-amz-meta-a": "b"])
        var whole: [UInt8] = []
        var parts: [S3NamedPart] = []
        for (index, size) in sizes.enumerated() {
            let content = content(size, seed: UInt64(index) + 9)
            whole += content
            parts.append(try await client.part("key", id, index + 1, content))
        }
        let reply = try await client.complete("key", id, parts)
        #expect(reply.status == 200, "\(reply.text)")
        let tag = try S3CompletedUpload(reply.body).tag
        for replica in [client, Client(world, world.replica())] {
            let get = try await replica.get("key")
            #expect(get.status == 200 && get.isWhole && get.body == whole)
            #expect(get["etag"] == tag.quoted && get["x-amz-meta-a"] == "b")
            let list = try await replica.send("GET", query: [("list-type", "2")])
            let listed = try S3ObjectList(list.body, isSecond: true)
            #expect(listed.objects.map(\.size) == [Int64(whole.count)])
            #expect(listed.objects.map(\.tag) == [tag])
        }
        // Nothing of the upload's state is left, but for the table of keys.
        #expect(world.storedKeys.filter { $0.contains("uploads") } == [])
        if sizes.count > 1 {
            let second = try await client.send("GET", "key", query: [("partNumber", "2")])
            #expect(second.status == 206)
            #expect(second.body == Array(whole[sizes[0]..<sizes[0] + sizes[1]]))
            #expect(second["x-amz-mp-parts-count"] == String(sizes.count))
        }
    }

    @Test func `has every range that its original has`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let first = content(partBytes + 5)
        let second = content(100_000, seed: 3)
        let parts = [
            try await client.part("key", id, 1, first), try await client.part("key", id, 7, second),
        ]
        _ = try await client.complete("key", id, parts)
        let whole = first + second
        for (start, end) in [
            (0, 0), (partBytes + 4, partBytes + 5), (partBytes, whole.count - 1),
            (partBytes + 5, partBytes + 5), (65_536, partBytes + 70_000), (0, whole.count + 5),
        ] {
            let get = try await client.get("key", range: "bytes=\(start)-\(end)")
            #expect(get.status == 206)
            #expect(get.body == Array(whole[start...min(end, whole.count - 1)]))
        }
        let suffix = try await client.get("key", range: "bytes=-\(100_003)")
        #expect(suffix.body == Array(whole.suffix(100_003)))
        #expect(try await client.get("key", range: "bytes=\(whole.count)-").status == 416)
    }

    @Test func `takes parts in any order, and the attempt that is named`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let last = try await client.part("key", id, 3, content(10, seed: 5))
        let old = try await client.part("key", id, 1, content(partBytes, seed: 1))
        let new = try await client.part("key", id, 1, content(partBytes, seed: 2))
        // The same bytes again have another salt.
        let salts = [old, new].map { String($0.tag.bare.prefix(43)) }
        #expect(Set(salts).count == 2)
        let gone = try await client.complete("key", id, [old, last])
        #expect(gone.code == "InvalidPart")
        let reply = try await client.complete("key", id, [new, last])
        #expect(reply.status == 200, "\(reply.text)")
        let get = try await client.get("key")
        #expect(get.body == content(partBytes, seed: 2) + content(10, seed: 5))
    }

    @Test(arguments: S3ProxyPolicy.Dialect.allCases)
    func `is completed by another replica, and listed by it`(
        _ dialect: S3ProxyPolicy.Dialect
    ) async throws {
        let world = try World { $0.dialect = dialect }
        let client = Client(world)
        let id = try await client.createUpload("key")
        let first = try await client.part("key", id, 1, content(partBytes))
        let second = try await client.part("key", id, 2, content(77, seed: 4))
        let other = Client(world, world.replica())
        let list = try await other.send("GET", "key", query: [("uploadId", id)])
        let listed = try S3PartList(list.body)
        #expect(listed.parts.map(\.size) == [Int64(partBytes), 77])
        #expect(listed.parts.map(\.tag) == [first.tag, second.tag])
        let uploads = try S3UploadList(
            try await other.send("GET", query: [("uploads", "")]).body)
        #expect(uploads.uploads.map(\.uploadID) == [id])
        let reply = try await other.complete(
            "key", id,
            listed.parts.map {
                S3NamedPart(number: $0.number, tag: $0.tag)
            })
        #expect(reply.status == 200, "\(reply.text)")
        #expect(try await client.get("key").body == content(partBytes) + content(77, seed: 4))
    }

    /// As many as there may be; small ones, where the store takes them.
    @Test func `has 9,999 parts, and is completed by another replica`() async throws {
        let world = try World { $0.partBytesMin = 1 }
        world.storage.withServer { $0.partBytesMin = 1 }
        let client = Client(world)
        let count = SealedObjectLimits.partsMax
        #expect(count == 9_999)
        let id = try await client.createUpload("key")
        let size = { (number: Int) in 1 + number * 7 % 5 }
        let whole = content((1...count).reduce(0) { $0 + size($1) }, seed: 3)
        var parts: [S3NamedPart] = []
        var start = 0
        for number in 1...count {
            let end = start + size(number)
            parts.append(try await client.part("key", id, number, Array(whole[start..<end])))
            start = end
        }
        let other = Client(world, world.replica())
        let page = try S3PartList(
            try await other.send("GET", "key", query: [("uploadId", id)]).body)
        #expect(page.isTruncated && page.parts.map(\.tag) == parts.prefix(1000).map(\.tag))
        #expect(try await other.complete("key", id, parts).status == 200)
        #expect(try await client.get("key").body == whole)
        let range = whole.count / 2..<whole.count / 2 + 100
        let part = try await client.get(
            "key", range: "bytes=\(range.lowerBound)-\(range.upperBound - 1)")
        #expect(part.body == Array(whole[range]))
        #expect(world.storedKeys.filter { $0.contains("uploads") } == [])
    }

    @Test func `is refused with parts that are too small, foreign or made up`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let small = try await client.part("key", id, 1, content(10))
        let last = try await client.part("key", id, 2, content(10))
        #expect(try await client.complete("key", id, [small, last]).code == "EntityTooSmall")
        let other = try await client.createUpload("key")
        let foreign = try await client.part("key", other, 1, content(10))
        #expect(try await client.complete("key", id, [foreign]).code == "InvalidPart")
        let moved = S3NamedPart(number: 3, tag: small.tag)
        #expect(try await client.complete("key", id, [moved]).code == "InvalidPart")
        for tag in ["\"\"", "\"x\"", "\"0123456789abcdef0123456789abcdef\""] {
            let madeUp = S3NamedPart(number: 1, tag: S3EntityTag(tag))
            #expect(try await client.complete("key", id, [madeUp]).code == "InvalidPart")
        }
        let tooMany = try await client.send(
            "PUT", "key", query: [("partNumber", "10000"), ("uploadId", id)], [:], [1])
        #expect(tooMany.code == "InvalidArgument")
        #expect(try await client.get("key").code == "NoSuchKey")
        // And still goes on.
        #expect(try await client.complete("key", id, [last]).status == 200)
        #expect(try await client.get("key").body == content(10))
    }

    @Test func `leaves nothing when it is aborted`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(10))
        let reply = try await client.send("DELETE", "key", query: [("uploadId", id)])
        #expect(reply.status == 204)
        #expect(world.storedKeys.filter { $0.contains("uploads") } == [])
        #expect(try await client.complete("key", id, [part]).code == "NoSuchUpload")
        let late = try await client.send(
            "PUT", "key", query: [("partNumber", "1"), ("uploadId", id)], [:], [1])
        #expect(late.code == "NoSuchUpload")
    }

    @Test func `tells a client that was kept waiting what came of it`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(10))
        let wrong = try await client.complete(
            "key", id, [S3NamedPart(number: 2, tag: part.tag)], keepsAlive: true)
        #expect(wrong.code == "InvalidPart")
        let good = try await client.complete("key", id, [part], keepsAlive: true)
        #expect(good.status == 200 && good.wasKept && good.isWhole)
        #expect(try S3CompletedUpload(good.body).key.text == "key")
    }

    @Test func `goes through though the store's answer was lost`() async throws {
        let world = try World()
        let replica = world.replica(faults: { call in
            call.verb == .completeUpload
                ? .answerLost(.connectionLost(host: "store")) : nil
        })
        let client = Client(world, replica)
        let id = try await client.createUpload("key")
        let part = try await client.part("key", id, 1, content(partBytes))
        let lost = try await client.complete("key", id, [part])
        #expect(lost.status == 503)
        let again = try await Client(world).complete("key", id, [part])
        #expect(again.status == 200, "\(again.text)")
        #expect(try await client.get("key").body == content(partBytes))
    }

    @Test func `takes parts from objects, which are sealed anew`() async throws {
        let world = try World()
        let client = Client(world)
        try await client.put("source", content(300_000))
        let id = try await client.createUpload("key")
        let reply = try await client.send(
            "PUT", "key", query: [("partNumber", "1"), ("uploadId", id)],
            [
                "x-amz-copy-source": "/\(world.bucket)/source",
                "x-amz-copy-source-range": "bytes=100-200099",
            ])
        #expect(reply.status == 200, "\(reply.text)")
        let tag = try S3CopyResult(reply.body, isPart: true).tag
        let done = try await client.complete("key", id, [S3NamedPart(number: 1, tag: tag)])
        #expect(done.status == 200, "\(done.text)")
        #expect(try await client.get("key").body == Array(content(300_000)[100..<200_100]))
        let beyond = try await client.send(
            "PUT", "key",
            query: [("partNumber", "1"), ("uploadId", try await client.createUpload("key"))],
            [
                "x-amz-copy-source": "/\(world.bucket)/source",
                "x-amz-copy-source-range": "bytes=0-300000",
            ])
        #expect(beyond.code == "InvalidArgument")
    }

    @Test func `is not completed when its salts repeat`() async throws {
        let world = try World()
        let client = Client(world)
        let id = try await client.createUpload("key")
        world.custodian.repeatSalts()
        let one = try await client.part("key", id, 1, content(partBytes))
        let two = try await client.part("key", id, 2, content(10))
        #expect(try await client.complete("key", id, [one, two]).status == 500)
        #expect(try await client.get("key").status == 404)
    }
}
