// SPDX-License-Identifier: Apache-2.0
internal import S3Format
internal import SimulationEngine

extension ObjectClient {
    func get(_ key: String, from replica: String? = nil) async {
        await read(key, range: nil, from: replica)
    }

    func getRange(_ key: String) async {
        let first = run.choices.draw(in: 0...70_000, label: "workload/first")
        let count = run.choices.draw(in: 1...70_000, label: "workload/count")
        await read(key, range: first..<first + count, from: nil)
    }

    private func read(_ key: String, range: Range<Int>?, from replica: String?) async {
        let read = world.beginRead()
        let troubles = world.troubles
        let fields = range.map { ["range": "bytes=\($0.lowerBound)-\($0.upperBound - 1)"] } ?? [:]
        let reply = await send(.read, "GET", key, fields: fields, to: replica)
        let seen = seen(reply, range)
        judgeRequest(reply)
        if case .content = seen { run.marks.hit("object-proxy.read") }
        if case .beginning = seen { run.marks.hit("object-proxy.cut") }
        run.report(
            ObjectReadEnded(
                read, key: key, seen, hadTrouble: isSkewed || world.hadTrouble(since: troubles)))
    }

    private func seen(_ reply: ObjectReply?, _ range: Range<Int>?) -> ObjectReadEnded.Seen {
        guard let reply, reply.status > 0 else { return .failed }
        guard reply.status < 300 else { return refusal(reply, range) }
        guard let number = reply["x-amz-meta-content"].flatMap({ Int($0) }),
            world.contents.indices.contains(number)
        else { return .wrong("has no content's metadata") }
        guard reply["x-amz-meta-note"] == ObjectWorld.text(world.secret) else {
            return .wrong("has other metadata")
        }
        let whole = world.contents[number].bytes
        let wanted = range.map { whole[min($0.lowerBound, whole.count)...].prefix($0.count) }
        let expected = wanted ?? whole[...]
        if let wanted {
            let text = "bytes \(wanted.startIndex)-\(wanted.endIndex - 1)/\(whole.count)"
            guard reply["content-range"] == text || reply["Content-Range"] == text else {
                return .wrong("has another range than was asked for")
            }
        }
        if reply.isWhole {
            return reply.body.elementsEqual(expected)
                ? .content(number) : .wrong("reads other bytes than content \(number) has")
        }
        return expected.starts(with: reply.body)
            ? .beginning(of: number) : .wrong("begins with other bytes than content \(number)")
    }

    private func refusal(
        _ reply: ObjectReply, _ range: Range<Int>? = nil
    ) -> ObjectReadEnded.Seen {
        guard reply.isWhole else { return .failed }
        switch (reply.status, reply.code) {
        case (404, _): return .absent
        case (416, _):
            guard let range else { return .refused("a range that it did not have") }
            return .shorter(than: Int64(range.lowerBound))
        case (503, _), (500, _), (403, "AccessDenied"), (409, _): return .failed
        case (403, _) where isSkewed: return .failed
        // Answers to HEAD say no code.
        case (403, nil): return .failed
        default: return .refused(reply.code ?? String(reply.status))
        }
    }

    func head(_ key: String, from replica: String? = nil) async {
        let read = world.beginRead()
        let troubles = world.troubles
        let reply = await send(.read, "HEAD", key, to: replica)
        let seen: ObjectReadEnded.Seen
        if let reply, reply.isWhole, reply.status == 200 {
            let size = (reply["Content-Length"]).flatMap { Int64($0) }
            seen = size.map { .size($0) } ?? .wrong("has no size")
        } else {
            seen = reply.map { $0.status == 0 ? .failed : refusal($0) } ?? .failed
        }
        run.report(
            ObjectReadEnded(
                read, key: key, seen,
                hadTrouble: isSkewed || world.hadTrouble(since: troubles)))
    }

    func list(from replica: String? = nil) async {
        let read = world.beginRead()
        let (troubles, stale) = (world.troubles, world.staleLists)
        let reply = await send(
            .read, "GET", query: [("list-type", "2"), ("encoding-type", "url")], to: replica)
        guard let reply, reply.isWhole, reply.status == 200 else { return }
        guard let list = try? S3ObjectList(reply.body, isSecond: true) else {
            run.report(
                ObjectReadEnded(read, key: "", .wrong("a list is no list"), hadTrouble: false))
            return
        }
        run.marks.hit("object-proxy.listed")
        var sizes: [String: Int64] = [:]
        for object in list.objects { sizes[object.key.text] = object.size }
        run.report(
            ObjectsListed(
                read, sizes: sizes, isStale: world.staleLists != stale,
                hadTrouble: world.hadTrouble(since: troubles)))
    }
}
