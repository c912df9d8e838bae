// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format

extension SimulatedObjectServer {
    mutating func createUpload(
        _ location: ObjectLocation, _ write: ObjectWrite, now: Int64
    ) throws(ObjectStoreFailure) -> ObjectUpload {
        let id = nextIdentifier()
        try change(location.bucket) {
            $0.uploads[id] = Upload(key: location.key, write: write, initiated: now)
        }
        return ObjectUpload(location, id: id)
    }

    func upload(_ wanted: ObjectUpload) throws(ObjectStoreFailure) -> Upload {
        guard let upload = try bucket(wanted.location.bucket).uploads[wanted.id],
            upload.key == wanted.location.key
        else { throw .noSuchUpload }
        return upload
    }

    mutating func storePart(
        _ content: [UInt8], _ number: Int, of wanted: ObjectUpload, now: Int64
    ) throws(ObjectStoreFailure) -> S3EntityTag {
        _ = try upload(wanted)
        guard S3Limits.partNumbers.contains(number) else {
            throw .refused(code: "InvalidArgument", status: 400)
        }
        let part = Part(content: content, tag: nextTag(), modified: now)
        buckets[wanted.location.bucket]?.uploads[wanted.id]?.parts[number] = part
        return part.tag
    }

    mutating func copyPart(
        _ wanted: ObjectUpload, _ number: Int, from source: ObjectVersion, _ range: Range<Int64>?,
        _ conditions: S3Conditions, now: Int64
    ) throws(ObjectStoreFailure) -> S3EntityTag {
        let content = try copySource(source, conditions).content ?? []
        let part = range ?? 0..<Int64(content.count)
        guard part.upperBound <= content.count else {
            throw .refused(code: "InvalidArgument", status: 400)
        }
        return try storePart(
            Array(content[Int(part.lowerBound)..<Int(part.upperBound)]), number, of: wanted,
            now: now)
    }

    func listParts(
        _ wanted: ObjectUpload, after number: Int, entriesMax: Int
    ) throws(ObjectStoreFailure) -> ObjectPartPage {
        let behind = try upload(wanted).parts.filter { $0.key > number }.sorted {
            $0.key < $1.key
        }
        let page = behind.prefix(entriesMax).map { number, part in
            S3ListedPart(
                number: number, tag: part.tag, size: Int64(part.content.count),
                modified: S3Timestamp(secondsSince1970: part.modified))
        }
        return ObjectPartPage(
            parts: page, next: behind.count > page.count ? page.last?.number : nil)
    }

    mutating func completeUpload(
        _ wanted: ObjectUpload, _ named: [S3NamedPart], _ conditions: S3Conditions, now: Int64
    ) throws(ObjectStoreFailure) -> ObjectWritten {
        let upload = try upload(wanted)
        guard !named.isEmpty else { throw .refused(code: "MalformedXML", status: 400) }
        guard zip(named, named.dropFirst()).allSatisfy({ $0.number < $1.number }) else {
            throw .invalidPartOrder
        }
        var stored: [Part] = []
        for part in named {
            guard let found = upload.parts[part.number], found.tag.matches(part.tag) else {
                throw .invalidPart
            }
            stored.append(found)
        }
        guard stored.dropLast().allSatisfy({ $0.content.count >= partBytesMin }) else {
            throw .partTooSmall
        }
        let content = stored.reduce(into: []) { $0 += $1.content }
        var write = upload.write
        write.conditions = conditions
        let tag = S3EntityTag("\"\(nextTag().bare)-\(named.count)\"")
        let written = try store(content, at: wanted.location, write, tag: tag, now: now)
        buckets[wanted.location.bucket]?.uploads[wanted.id] = nil
        return written
    }

    mutating func abortUpload(_ wanted: ObjectUpload) throws(ObjectStoreFailure) {
        _ = try upload(wanted)
        try change(wanted.location.bucket) { $0.uploads[wanted.id] = nil }
    }
}
