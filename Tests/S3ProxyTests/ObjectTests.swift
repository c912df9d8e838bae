// SPDX-License-Identifier: Apache-2.0
import Checksums
import ObjectStorePorts
import RequestSignature
import S3Format
import S3Proxy
import SealedObject
import SimulatedStorage
import Testing

/// Bytes that are the same each time and not the same anywhere.
func content(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
        for index in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            buffer[index] = UInt8(truncatingIfNeeded: state >> 33)
        }
        written = count
    }
}

@Suite struct `An object through the proxy` {
    static let sizes = [0, 1, 65_535, 65_536, 65_537, 131_072, 1 << 20]

    @Test(arguments: sizes)
    func `comes back as it was`(_ size: Int) async throws {
        let world = try World()
        let client = Client(world)
        let content = content(size)
        let put = try await client.put("a/key", content, ["content-type": "text/x"])
        let get = try await client.get("a/key")
        #expect(get.status == 200 && get.isWhole && get.body == content)
        #expect(get["content-length"] == String(size))
        #expect(get["content-type"] == "text/x")
        #expect(get["etag"] == put["etag"] && get["etag"]?.hasSuffix("-0\"") == true)
        let head = try await client.send("HEAD", "a/key")
        #expect(head.status == 200 && head["content-length"] == String(size))
        #expect(head["etag"] == put["etag"] && head.body.isEmpty)
        let stored = try world.stored("a/key")
        #expect(stored.content?.count == SegmentSize.sealedSize(of: size))
        let list = try await client.send("GET", query: [("list-type", "2")])
        let listed = try S3ObjectList(list.body, isSecond: true)
        #expect(listed.objects.map(\.key.text) == ["a/key"])
        #expect(listed.objects.map(\.size) == [Int64(size)])
        #expect(listed.objects.map(\.tag.text) == [put["etag"]])
    }

    @Test func `has every range that its original has`() async throws {
        let world = try World()
        let client = Client(world)
        for size in [1, 65_536, 65_537, 200_000] {
            let content = content(size)
            try await client.put("key", content)
            for (first, last) in [
                (0, 0), (0, size - 1), (0, size + 99), (size - 1, size - 1), (size / 2, size - 1),
                (65_535, 65_536), (65_536, 131_071), (1, 65_536), (131_072, 131_072),
            ] {
                let get = try await client.get("key", range: "bytes=\(first)-\(last)")
                guard first < size else {
                    #expect(get.status == 416 && get.code == "InvalidRange")
                    #expect(get.text.contains("<ActualObjectSize>\(size)<"))
                    continue
                }
                let end = min(last, size - 1)
                #expect(get.status == 206 && get.isWhole && get.body == Array(content[first...end]))
                #expect(get["content-range"] == "bytes \(first)-\(end)/\(size)")
            }
            for suffix in [1, size / 2, size, size + 7] where suffix > 0 {
                let get = try await client.get("key", range: "bytes=-\(suffix)")
                #expect(get.status == 206 && get.body == Array(content.suffix(suffix)))
            }
            let open = try await client.get("key", range: "bytes=\(size / 3)-")
            #expect(open.status == 206 && open.body == Array(content[(size / 3)...]))
            let two = try await client.get("key", range: "bytes=0-1,3-4")
            #expect(two.status == 200 && two.body == content)
        }
    }

    @Test func `tells the store nothing of content, type, metadata and hash`() async throws {
        let world = try World()
        let client = Client(world)
        let canary = Array("a canary in the content that nobody may see".utf8)
        let md5 = Base64Text.encoded(CryptoText.md5(canary))
        try await client.put(
            "key", canary,
            [
                "content-type": "application/x-canary", "x-amz-meta-name": "canary-in-metadata",
                "content-md5": md5, "cache-control": "max-age=canary",
            ])
        let stored = world.everythingStored
        for text in ["canary", md5, CryptoText.hex(CryptoText.md5(canary)), "x-canary"] {
            #expect(!stored.contains(text), "\(text)")
        }
        let head = try await client.send("HEAD", "key")
        #expect(head["x-amz-meta-name"] == "canary-in-metadata")
        #expect(head["content-type"] == "application/x-canary")
        #expect(head["cache-control"] == "max-age=canary")
        // The same search finds what is there.
        let envelope = try world.stored("key").attributes.metadata["ct1"]
        #expect(stored.contains(try #require(envelope)))
    }

    @Test(arguments: [
        Payload.unsigned,
        .chunked(ChunkedPayload(isSigned: true, decodedByteCount: 100_000, trailer: nil)),
        .chunked(ChunkedPayload(isSigned: true, decodedByteCount: 100_000, trailer: .crc32c)),
        .chunked(ChunkedPayload(isSigned: false, decodedByteCount: 100_000, trailer: .crc64nvme)),
    ])
    func `comes in each of the ways that clients send`(_ payload: Payload) async throws {
        let world = try World()
        let content = content(100_000)
        let put = try await Client(world).send("PUT", "key", [:], content, payload: payload)
        #expect(put.status == 200, "\(put.text)")
        let get = try await Client(world).get("key")
        #expect(get.body == content)
        #expect(get["content-encoding"] == nil)
    }

    @Test func `is not there when its body was not what was signed`() async throws {
        let world = try World()
        let client = Client(world)
        let content = content(100_000)
        let other = CryptoText.sha256(Array(content.dropLast()))
        let put = try await client.send("PUT", "key", [:], content, payload: .literal(other))
        #expect(put.status == 400 && put.code == "XAmzContentSHA256Mismatch")
        let cut = try await client.send("PUT", "key", [:], content, bodyEnds: false)
        #expect(!cut.isWhole)
        let wrong = try await client.send(
            "PUT", "key", ["content-md5": Base64Text.encoded(CryptoText.md5([1]))], content)
        #expect(wrong.status == 400 && wrong.code == "BadDigest")
        #expect(world.storedKeys.allSatisfy { $0.hasPrefix(".cloudtaser/") })
        #expect(try await client.get("key").code == "NoSuchKey")
    }

    @Test func `is read by another replica, and under no other name`() async throws {
        let world = try World()
        let content = content(70_000)
        try await Client(world).put("key", content)
        let other = Client(world, world.replica())
        #expect(try await other.get("key").body == content)
        // Served in another's place it does not open.
        try await Client(world).put("other", self.content(70_000))
        let stored = try world.stored("key")
        try world.tamper("other") { $0 = stored }
        let get = try await other.get("other")
        #expect(get.status == 403 && get.code == "InvalidObjectState")
        #expect(try await other.get("key").body == content)
        let tenant = Client(world, world.replica(settings: { $0.tenant = "another" }))
        #expect(try await tenant.get("key").code == "InvalidObjectState")
    }

    @Test func `that is replaced while it is read is never a mixture`() async throws {
        let world = try World()
        let client = Client(world)
        try await client.put("key", S3ProxyTests.content(200_000, seed: 2))
        let new = try world.stored("key")
        try await client.put("key", S3ProxyTests.content(200_000, seed: 1))
        let (bucket, key) = (world.bucket, try world.key("key"))
        // Between the look at its size and the look at its content.
        let replica = world.replica(faults: { [storage = world.storage] call in
            guard call.verb == .read, call.key == key else { return nil }
            storage.withServer { server in
                server.tamper(ObjectLocation(bucket, key)) { $0[0] = new }
            }
            return nil
        })
        let get = try await Client(world, replica).get("key", range: "bytes=-10")
        #expect(get.status == 206)
        #expect(get.body == Array(S3ProxyTests.content(200_000, seed: 2).suffix(10)))
    }

    @Test func `has versions where its bucket has`() async throws {
        let world = try World(hasVersions: true)
        let client = Client(world)
        let first = try await client.put("key", content(100))
        let second = try await client.put("key", content(99))
        let ids = try [first, second].map { try #require($0["x-amz-version-id"]) }
        for (id, size) in zip(ids, [100, 99]) {
            let get = try await client.send("GET", "key", query: [("versionId", id)])
            #expect(get.body == content(size) && get["x-amz-version-id"] == id)
        }
        let versions = try S3VersionList(
            try await client.send("GET", query: [("versions", "")]).body)
        #expect(versions.versions.map(\.versionID) == [ids[1], ids[0]])
        #expect(
            versions.versions.map(\.content).map {
                if case .object(_, let size, _) = $0 { Int(size) } else { -1 }
            } == [99, 100])
        let deleted = try await client.send("DELETE", "key")
        #expect(deleted.status == 204 && deleted["x-amz-delete-marker"] == "true")
        let gone = try await client.get("key")
        #expect(gone.status == 404 && gone["x-amz-delete-marker"] == "true")
        let old = try await client.send("GET", "key", query: [("versionId", ids[0])])
        #expect(old.body == content(100))
    }

    private func content(_ count: Int) -> [UInt8] { S3ProxyTests.content(count, seed: 7) }
}
