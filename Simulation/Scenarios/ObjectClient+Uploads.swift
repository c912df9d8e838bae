// SPDX-License-Identifier: Apache-2.0
internal import Ports
internal import S3Format
internal import SimulationEngine

/// An upload in parts as its client knows it.
final class ObjectClientUpload: @unchecked Sendable {
    let id: String
    let key: String
    let content: ObjectContent
    /// What was acknowledged last of each part.
    var parts: [Int: (tag: S3EntityTag, size: Int64)] = [:]
    /// Parts whose last attempt may or may not have been stored.
    var unknown: Set<Int> = []
    var isOver = false

    init(_ id: String, _ key: String, _ content: ObjectContent) {
        self.id = id
        self.key = key
        self.content = content
    }
}

extension ObjectClient {
    private static let attemptsMax = 3

    func upload(_ key: String) async {
        let count = run.choices.draw(in: 1...4, label: "upload/parts")
        var sizes: [Int] = []
        for index in 1...count {
            let least = index == count ? 0 : world.plan.partBytesMin
            sizes.append(least + run.choices.draw(below: 3_000, label: "upload/bytes"))
        }
        guard let upload = await create(key, sizes.reduce(0, +)) else { return }
        let gap = 1 + run.choices.draw(below: 3, label: "upload/gap")
        let isBackwards = run.choices.happens(1, in: 3, label: "upload/order")
        let slices = Self.slices(sizes)
        for index in isBackwards ? Array(slices.indices.reversed()) : Array(slices.indices) {
            let bytes = Array(upload.content.bytes[slices[index]])
            // First other bytes, under the same number.
            if run.choices.happens(1, in: 5, label: "upload/again") {
                run.marks.hit("object-proxy.part-again")
                await part(upload, 1 + index * gap, bytes.map { ~$0 })
            }
            guard await part(upload, 1 + index * gap, bytes) else { return }
        }
        if run.choices.happens(1, in: 6, label: "upload/abort") { return await abort(upload) }
        let named = await listedParts(upload)
        await complete(upload, named)
        if upload.isOver, run.choices.happens(1, in: 4, label: "upload/twice") {
            run.marks.hit("object-proxy.completed-twice")
            await complete(upload, named)
        }
    }

    private static func slices(_ sizes: [Int]) -> [Range<Int>] {
        var start = 0
        return sizes.map { size in
            defer { start += size }
            return start..<start + size
        }
    }

    private func create(_ key: String, _ size: Int) async -> ObjectClientUpload? {
        let content = world.newContent(size)
        var fields = fields(of: content)
        fields["x-amz-tagging"] = nil
        let reply = await send(.other, "POST", key, query: [("uploads", "")], fields: fields)
        judgeRequest(reply)
        guard let reply, reply.isWhole, reply.status == 200,
            let created = try? S3CreatedUpload(reply.body)
        else { return nil }
        let upload = ObjectClientUpload(created.uploadID, key, content)
        world.uploads.append(upload)
        return upload
    }

    /// Whether it was acknowledged.
    @discardableResult
    private func part(_ upload: ObjectClientUpload, _ number: Int, _ bytes: [UInt8]) async -> Bool {
        for _ in 0..<Self.attemptsMax {
            upload.unknown.insert(number)
            let reply = await send(
                .put, "PUT", upload.key,
                query: [("partNumber", String(number)), ("uploadId", upload.id)], bytes)
            if let reply, reply.isWhole, reply.status == 200, let tag = reply["ETag"] {
                upload.parts[number] = (S3EntityTag(tag), Int64(bytes.count))
                upload.unknown.remove(number)
                return true
            }
        }
        return false
    }

    func complete(_ upload: ObjectClientUpload, _ named: [S3NamedPart]) async {
        for attempt in 0..<Self.attemptsMax {
            let write = world.begin(upload.key, upload.content.value)
            let troubles = world.troubles
            let reply = await send(
                .complete, "POST", upload.key, query: [("uploadId", upload.id)],
                S3CompleteRequest(parts: named).rendered(), write: write)
            if let reply, reply.isWhole, reply.status == 200, reply.code == nil {
                run.marks.hit("object-proxy.completed")
                if attempt > 0 { run.marks.hit("object-proxy.completed-again") }
                upload.isOver = true
                return closed(upload, troubles)
            }
            if reply?.code == "NoSuchUpload" {
                upload.isOver = true
                closed(upload, troubles)
            }
            // Whoever lost count asks what is there.
            if !upload.isOver, run.choices.happens(1, in: 3, label: "upload/list") {
                _ = await listedParts(upload, isSure: true)
            }
            guard
                reply == nil || (reply?.status ?? 0) >= 500 || reply?.status == 0
                    || reply?.code == "ServiceUnavailable"
            else { return }
        }
    }

    func abort(_ upload: ObjectClientUpload) async {
        for _ in 0..<Self.attemptsMax {
            let troubles = world.troubles
            let reply = await send(
                .other, "DELETE", upload.key, query: [("uploadId", upload.id)])
            guard let reply, reply.isWhole, [204, 404].contains(reply.status) else { continue }
            if reply.status == 204 { run.marks.hit("object-proxy.aborted") }
            upload.isOver = true
            return closed(upload, troubles)
        }
    }

    private func closed(_ upload: ObjectClientUpload, _ troubles: Int) {
        guard !world.hadTrouble(since: troubles) else { return }
        run.report(
            UploadJudged.closed(
                upload: upload.id, left: world.stateCount(of: upload.id, key: upload.key)))
    }

    /// The parts to complete the upload with: as the client knows them, or as a replica lists them.
    private func listedParts(
        _ upload: ObjectClientUpload, isSure: Bool = false
    ) async -> [S3NamedPart] {
        let own = upload.parts.sorted { $0.key < $1.key }
            .map { S3NamedPart(number: $0.key, tag: $0.value.tag) }
        guard isSure || run.choices.happens(1, in: 3, label: "upload/list") else { return own }
        let reply = await send(.read, "GET", upload.key, query: [("uploadId", upload.id)])
        guard let reply, reply.isWhole, reply.status == 200,
            let list = try? S3PartList(reply.body)
        else { return own }
        run.marks.hit("object-proxy.parts-listed")
        judge(list, upload)
        return list.parts.count == own.count
            ? list.parts.map { S3NamedPart(number: $0.number, tag: $0.tag) } : own
    }

    private func judge(_ list: S3PartList, _ upload: ObjectClientUpload) {
        for (number, part) in upload.parts where !upload.unknown.contains(number) {
            let isThere = list.parts.contains {
                $0.number == number && $0.tag == part.tag && $0.size == part.size
            }
            if !isThere {
                run.report(UploadJudged.partMissing(upload: upload.id, number: number))
            }
        }
    }

    // MARK: - Many parts

    /// As many as there may be, several at a time.
    func uploadMany(_ key: String, _ count: Int) async {
        let sizes = (0..<count).map { 1 + ($0 * 7) % 5 }
        guard let upload = await create(key, sizes.reduce(0, +)) else { return }
        let slices = Self.slices(sizes)
        let lanes = 16
        await withTaskGroup(of: Void.self) { group in
            for lane in 0..<lanes {
                group.addTask { [self] in
                    for index in stride(from: lane, to: count, by: lanes) {
                        await part(upload, index + 1, Array(upload.content.bytes[slices[index]]))
                    }
                }
            }
        }
        guard upload.parts.count == count else { return }
        run.marks.hit("object-proxy.many-parts")
        await complete(
            upload,
            upload.parts.sorted { $0.key < $1.key }
                .map { S3NamedPart(number: $0.key, tag: $0.value.tag) })
        await get(key)
        await head(key)
        await getRange(key)
        await list()
    }

    // MARK: - At the end

    /// Everything is looked at by each replica when nothing is wrong any more.
    func verify() async {
        for upload in world.uploads where !upload.isOver { await abort(upload) }
        for replica in world.plan.replicas {
            for key in world.keys.sorted() {
                await get(key, from: replica)
                await head(key, from: replica)
            }
            await list(from: replica)
        }
        run.report(ConditionChanged("readable", holds: true))
        world.forget()
    }
}
