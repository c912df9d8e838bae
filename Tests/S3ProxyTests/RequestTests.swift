// SPDX-License-Identifier: Apache-2.0
import ObjectKeyPorts
import ObjectStorePorts
import Ports
import RequestSignature
import S3Format
import S3Proxy
import SimulatedStorage
import Synchronization
import Testing

@Suite struct `Who asks the proxy` {
    @Test func `is refused without the client's own key`() async throws {
        let world = try World()
        try await Client(world).put("key", [1])
        var wrong = Client(world)
        wrong.secret = "another secret"
        #expect(try await wrong.get("key").code == "SignatureDoesNotMatch")
        var unknown = Client(world)
        unknown.accessKeyID = "AKIDUPSTREAM"
        #expect(try await unknown.get("key").code == "InvalidAccessKeyId")
        let unsigned = await Client(world).send(
            RequestHead(
                method: "GET", target: "/bucket/key", fields: [RequestField("host", "proxy.test")]),
            [])
        #expect(unsigned.status == 403 && unsigned.code == "AccessDenied")
        #expect(unsigned["x-amz-request-id"]?.count == 16)
    }

    @Test func `has room for so many documents and no more`() async throws {
        func document(_ world: World, _ count: Int) throws -> [UInt8] {
            let key = try world.key("key")
            return S3DeleteRequest(entries: Array(repeating: .init(key: key), count: count))
                .rendered()
        }
        let one = try document(try World(), 3)
        for (spare, status) in [(0, 200), (-1, 503)] {
            let world = try World { $0.documentBytesMax = one.count + spare }
            let client = Client(world)
            // What was taken is given back, also by one that is refused.
            for _ in 1...3 {
                let reply = try await client.send("POST", query: [("delete", "")], [:], one)
                #expect(reply.status == status, "\(reply.text)")
                if status != 200 { #expect(reply.code == "SlowDown") }
            }
            let small = try await client.send(
                "POST", query: [("delete", "")], [:], try document(world, 1))
            #expect(small.status == 200)
        }
    }

    @Test func `gets nothing that is the proxy's own`() async throws {
        let world = try World()
        let client = Client(world)
        try await client.put("key", [1])
        let own = try #require(world.storedKeys.first { $0.hasPrefix(".cloudtaser/") })
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let reply = try await client.send(method, own)
            #expect(reply.status == 403, "\(method)")
        }
        let copy = try await client.send(
            "PUT", "copy", ["x-amz-copy-source": "/bucket/\(own)"])
        #expect(copy.status == 403)
        let forged = try await client.send("PUT", "key", ["x-amz-meta-ct1": "x"], [1])
        #expect(forged.status == 400)
        let document = S3DeleteRequest(
            entries: [.init(key: try world.key(own)), .init(key: try world.key("key"))])
        let deleted = try await client.send(
            "POST", query: [("delete", "")], [:], document.rendered())
        let result = try S3DeleteResult(deleted.body)
        #expect(result.entries.count == 2)
        #expect(world.storedKeys == [own])
        for query in [[("list-type", "2")], [], [("versions", "")], [("prefix", ".cloudtaser/")]] {
            let list = try await client.send("GET", query: query)
            #expect(list.status == 200 && !list.text.contains("ct1/keys"), "\(query)")
        }
        let rolled = try await client.send("GET", query: [("delimiter", "/")])
        #expect(!rolled.text.contains("<Prefix>.cloudtaser/"))
    }

    @Test func `is told what is not done`() async throws {
        let world = try World()
        let client = Client(world)
        #expect(try await client.send("GET", query: [("website", "")]).status == 501)
        #expect(try await client.send("GET", query: [("inventory", "")]).status == 501)
        let customer = ["x-amz-server-side-encryption-customer-algorithm": "AES256"]
        #expect(try await client.send("PUT", "key", customer, [1]).status == 501)
        #expect(try await client.send("HEAD").status == 200)
        let other = Client(world)
        #expect(try await other.send("PUT", "key", ["x-amz-tagging": "a=b"], [1]).status == 200)
        let tags = try await other.send("GET", "key", query: [("tagging", "")])
        #expect(try S3Tagging(tags.body).tags.map(\.key) == ["a"])
    }

    @Test func `may set conditions by the tags that it was told`() async throws {
        let world = try World()
        let client = Client(world)
        let tag = try #require(try await client.put("key", [1])["etag"])
        #expect(try await client.send("GET", "key", ["if-match": tag]).status == 200)
        #expect(try await client.send("GET", "key", ["if-match": "\"x-0\""]).status == 412)
        let same = try await client.send("GET", "key", ["if-none-match": tag])
        #expect(same.status == 304 && same["etag"] == tag && same.body.isEmpty)
        #expect(try await client.send("HEAD", "key", ["if-none-match": tag]).status == 304)
        #expect(try await client.send("PUT", "key", ["if-none-match": "*"], [2]).status == 412)
        #expect(try await client.send("PUT", "key", ["if-match": tag], [2]).status == 200)
        #expect(try await client.send("PUT", "key", ["if-match": tag], [3]).status == 412)
        #expect(try await client.get("key").body == [2])
    }
}

@Suite struct `What becomes of a request` {
    @Test func `is told to come later when too many are under way`() async throws {
        let world = try World { $0.requestsMax = 1 }
        let client = Client(world)
        try await client.put("key", [1])
        let gate = Gate()
        // One whose body does not come to its end holds the only place.
        async let held = client.send(
            "PUT", "other", [:], [2], body: { SlicedBody([2], 1, ends: true, gate: gate) })
        await gate.arrived()
        let get = try await client.get("key")
        #expect(get.status == 503 && get.code == "SlowDown")
        gate.open()
        #expect(try await held.status == 200)
        #expect(try await client.get("key").body == [1])
    }

    @Test func `is told to whoever runs the proxy, and not what it was about`() async throws {
        let reports = Mutex<[S3ProxyReport]>([])
        let world = try World()
        let client = Client(
            world,
            world.replica(report: { report in
                reports.withLock { $0.append(report) }
            }))
        try await client.put("canary-key", [1], ["x-amz-meta-a": "canary-value"])
        try await client.put("other", [1])
        let other = try world.stored("other")
        try world.tamper("canary-key") { $0 = other }
        let get = try await client.get("canary-key")
        _ = try await client.get("canary-none")
        world.custodian.fail(.vault(.sealed(host: "vault.test")))
        world.clock.advance(4000)
        _ = try await client.get("other")
        let all = reports.withLock { $0 }
        #expect(
            all.map(\.code) == [nil, nil, "InvalidObjectState", "NoSuchKey", "ServiceUnavailable"])
        #expect(all.map(\.isOurs) == [false, false, true, false, true])
        #expect(all[2].requestID == get["x-amz-request-id"])
        #expect(all[4].cause?.contains("vault.test") == true)
        #expect(!"\(all)".contains("canary") && !"\(all)".contains(World.secret))
        let page = client.proxy.metricsPage
        #expect(page.contains(#"code="InvalidObjectState",operation="GetObject"} 1"#))
        #expect(page.contains("cloudtaser_s3_unopened_total 1"))
        #expect(page.contains("cloudtaser_s3_without_key_total 1"))
        #expect(!page.contains("canary"))
    }
}

@Suite struct `A copy` {
    @Test func `keeps what it is asked to keep, and moves no content`() async throws {
        let world = try World()
        let client = Client(world)
        try await client.put(
            "key", content(100_000), ["content-type": "a/b", "x-amz-meta-a": "one"])
        let copied = try await client.send(
            "PUT", "copy", ["x-amz-copy-source": "/bucket/key"])
        #expect(copied.status == 200, "\(copied.text)")
        // The store has the same bytes under both names, which open each under its own.
        #expect(try world.stored("key").content == world.stored("copy").content)
        let get = try await client.get("copy")
        #expect(get.body == content(100_000) && get["x-amz-meta-a"] == "one")
        #expect(get["etag"] == (try S3CopyResult(copied.body).tag.quoted))
        let replaced = try await client.send(
            "PUT", "copy",
            [
                "x-amz-copy-source": "/bucket/copy", "x-amz-metadata-directive": "REPLACE",
                "x-amz-meta-b": "two",
            ])
        #expect(replaced.status == 200)
        let again = try await Client(world, world.replica()).get("copy")
        #expect(again.body == content(100_000))
        #expect(again["x-amz-meta-b"] == "two" && again["x-amz-meta-a"] == nil)
        let itself = try await client.send("PUT", "copy", ["x-amz-copy-source": "/bucket/copy"])
        #expect(itself.code == "InvalidRequest")
    }

    @Test func `of an object in parts still shows its size in lists`() async throws {
        let world = try World()
        let client = Client(world)
        let size = Int(S3Limits.partBytesMin)
        for last in [size, 77] {
            let id = try await client.createUpload("key")
            let parts = [
                try await client.part("key", id, 1, content(size)),
                try await client.part("key", id, 2, content(last)),
            ]
            _ = try await client.complete("key", id, parts)
            let copied = try await client.send(
                "PUT", "copy", ["x-amz-copy-source": "/bucket/key"])
            #expect(copied.status == 200, "\(copied.text)")
            let list = try await client.send("GET", query: [("list-type", "2")])
            let listed = try S3ObjectList(list.body, isSecond: true)
            #expect(listed.objects.map(\.size) == [Int64(size + last), Int64(size + last)])
            #expect(try await client.get("copy").body == content(size) + content(last))
        }
    }

    @Test func `is made only from what the conditions say`() async throws {
        let world = try World()
        let client = Client(world)
        let tag = try #require(try await client.put("key", [1])["etag"])
        func copy(_ fields: [String: String]) async throws -> Int {
            let all = fields.merging(["x-amz-copy-source": "/bucket/key"]) { $1 }
            return try await client.send("PUT", "copy", all).status
        }
        #expect(try await copy(["x-amz-copy-source-if-match": tag]) == 200)
        #expect(try await copy(["x-amz-copy-source-if-match": "\"x\""]) == 412)
        #expect(try await copy(["x-amz-copy-source-if-none-match": tag]) == 412)
        let missing = try await client.send("PUT", "copy", ["x-amz-copy-source": "/bucket/none"])
        #expect(missing.code == "NoSuchKey")
    }
}

@Suite struct `A list through the proxy` {
    @Test(arguments: [false, true])
    func `has every key once, on pages of any size`(_ isSecond: Bool) async throws {
        let world = try World()
        let client = Client(world)
        var keys: [String] = []
        for number in 0..<25 {
            // Before, behind and around what is the proxy's own.
            let stems = [".a", ".cloudtaser", ".cloudtaser0", "a/b", "é"]
            keys.append(stems[number % 5] + String(number))
            try await client.put(keys[number], content(number))
        }
        keys.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for pageBytes in [1, 2, 7, 1000] {
            var found: [String] = []
            var query = isSecond ? [("list-type", "2")] : []
            query.append(("max-keys", String(pageBytes)))
            query.append(("encoding-type", "url"))
            var next: (String, String)?
            repeat {
                let reply = try await client.send("GET", query: query + (next.map { [$0] } ?? []))
                let list = try S3ObjectList(reply.body, isSecond: isSecond)
                found += list.objects.map(\.key.text)
                switch list.form {
                case .first(_, let marker): next = marker.map { ("marker", $0.text) }
                case .second(_, _, let token): next = token.map { ("continuation-token", $0) }
                }
                #expect(list.isTruncated == (next != nil))
            } while next != nil && found.count <= keys.count
            #expect(found == keys)
        }
    }

    @Test func `fills its pages, whatever it leaves out`() async throws {
        let world = try World()
        let client = Client(world)
        for key in [".a", ".b", "x", "y", "z"] { try await client.put(key, [1]) }
        let query = [("list-type", "2"), ("max-keys", "3")]
        let list = try S3ObjectList(
            try await client.send("GET", query: query).body, isSecond: true)
        #expect(list.objects.map(\.key.text) == [".a", ".b", "x"] && list.isTruncated)
        guard case .second(_, _, let token?) = list.form else {
            Issue.record("no token")
            return
        }
        let rest = try S3ObjectList(
            try await client.send("GET", query: query + [("continuation-token", token)]).body,
            isSecond: true)
        #expect(rest.objects.map(\.key.text) == ["y", "z"] && !rest.isTruncated)
    }
}
