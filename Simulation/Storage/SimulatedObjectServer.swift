// SPDX-License-Identifier: Apache-2.0
package import ObjectStorePorts
package import S3Format

/// A store's state and rules, without HTTP, time and streams. Everything in it may be read and
/// changed from outside: whoever runs the server can do so too.
package struct SimulatedObjectServer: Sendable {
    /// One version of an object.
    package struct Version: Sendable {
        package let id: String
        /// nil: the mark that it was deleted.
        package var content: [UInt8]?
        package var tag: S3EntityTag
        /// Seconds since 1970.
        package var modified: Int64
        package var attributes: ObjectAttributes
        package var tagging: S3Tagging
        package var passedOn: [S3Headers.Field]
    }

    package struct Part: Sendable {
        package var content: [UInt8]
        package let tag: S3EntityTag
        package let modified: Int64
    }

    package struct Upload: Sendable {
        package let key: S3Key
        package let write: ObjectWrite
        package let initiated: Int64
        package var parts: [Int: Part] = [:]
    }

    package struct Bucket: Sendable {
        package internal(set) var hasVersions: Bool
        /// The oldest version first. Never empty.
        package var objects: [S3Key: [Version]] = [:]
        package var uploads: [String: Upload] = [:]
    }

    /// States of a bucket that lists may still show.
    package static let historyMax = 8

    package internal(set) var buckets: [S3Bucket: Bucket] = [:]
    /// Of a part that is not the last (bytes). Less in scenarios that have no room for 5 MiB.
    package var partBytesMin = S3Limits.partBytesMin
    /// Per bucket, the state before each change, the oldest first.
    private var history: [S3Bucket: [Bucket]] = [:]
    private var counter: UInt64 = 0

    package init() {}

    package mutating func addBucket(_ bucket: S3Bucket, hasVersions: Bool) {
        buckets[bucket] = Bucket(hasVersions: hasVersions)
    }

    mutating func removeBucket(_ bucket: S3Bucket) {
        buckets[bucket] = nil
        history[bucket] = nil
    }

    mutating func enableVersions(_ bucket: S3Bucket) { buckets[bucket]?.hasVersions = true }

    /// Changes an object behind everybody's back, as whoever runs the server can.
    ///
    /// - Parameter change: gets its versions, the oldest first.
    package mutating func tamper(
        _ location: ObjectLocation, _ change: (inout [Version]) -> Void
    ) {
        var versions = buckets[location.bucket]?.objects[location.key] ?? []
        change(&versions)
        buckets[location.bucket]?.objects[location.key] = versions.isEmpty ? nil : versions
    }

    // MARK: - Names

    /// Numbers that do not look like numbers. A tag looks like an MD5 and is none.
    mutating func nextTag() -> S3EntityTag {
        S3EntityTag("\"\(nextIdentifier())\(nextIdentifier())\"")
    }

    /// SplitMix64's finisher over a counter: 16 hexadecimal digits.
    mutating func nextIdentifier() -> String {
        counter += 1
        var value = counter &* 0x9E37_79B9_7F4A_7C15
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        let digits = String(value ^ (value >> 31), radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    // MARK: - State

    func bucket(_ name: S3Bucket) throws(ObjectStoreFailure) -> Bucket {
        guard let bucket = buckets[name] else { throw .noSuchBucket }
        return bucket
    }

    /// What a list shows that lags behind.
    ///
    /// - Parameter changes: how far; 0: not at all.
    func bucket(_ name: S3Bucket, before changes: Int) throws(ObjectStoreFailure) -> Bucket {
        let now = try bucket(name)
        guard changes > 0, let states = history[name], !states.isEmpty else { return now }
        return states[max(0, states.count - changes)]
    }

    mutating func change(
        _ name: S3Bucket, _ change: (inout Bucket) -> Void
    ) throws(ObjectStoreFailure) {
        var bucket = try bucket(name)
        var states = history[name] ?? []
        if states.count == Self.historyMax { states.removeFirst() }
        states.append(bucket)
        history[name] = states
        change(&bucket)
        buckets[name] = bucket
    }

    func version(_ wanted: ObjectVersion) throws(ObjectStoreFailure) -> Version {
        let bucket = try bucket(wanted.location.bucket)
        let versions = bucket.objects[wanted.location.key] ?? []
        guard let id = wanted.id else {
            guard let latest = versions.last else { throw .noSuchKey }
            guard latest.content != nil else { throw .deleted(markerVersionID: latest.id) }
            return latest
        }
        guard let found = versions.first(where: { $0.id == id }) else { throw .noSuchVersion }
        guard found.content != nil else { throw .isDeleteMarker }
        return found
    }

    /// Also checks the conditions of a read.
    func version(
        _ wanted: ObjectVersion, _ conditions: S3Conditions
    ) throws(ObjectStoreFailure) -> Version {
        let found = try version(wanted)
        switch conditions.verdict(tag: found.tag, modified: found.modified) {
        case .proceed: return found
        case .notModified: throw .notModified(tag: found.tag)
        case .failed: throw .preconditionFailed
        }
    }

    func head(_ version: Version, of bucket: S3Bucket) -> ObjectHead {
        ObjectHead(
            size: Int64(version.content?.count ?? 0), tag: version.tag,
            modified: version.modified,
            versionID: buckets[bucket]?.hasVersions == true ? version.id : nil,
            attributes: version.attributes, passedOn: version.passedOn)
    }

    // MARK: - Writes

    static let nullVersion = "null"

    mutating func store(
        _ content: [UInt8], at location: ObjectLocation, _ write: ObjectWrite, tag: S3EntityTag,
        now: Int64
    ) throws(ObjectStoreFailure) -> ObjectWritten {
        try checkWrite(location, write.conditions)
        let hasVersions = try bucket(location.bucket).hasVersions
        let id = hasVersions ? nextIdentifier() : Self.nullVersion
        let version = Version(
            id: id, content: content, tag: tag, modified: now, attributes: write.attributes,
            tagging: write.tagging ?? S3Tagging(tags: []), passedOn: write.passedOn)
        try change(location.bucket) {
            let earlier = hasVersions ? $0.objects[location.key] ?? [] : []
            $0.objects[location.key] = earlier + [version]
        }
        return ObjectWritten(tag: tag, versionID: hasVersions ? id : nil)
    }

    func checkWrite(
        _ location: ObjectLocation, _ conditions: S3Conditions
    ) throws(ObjectStoreFailure) {
        let latest = try bucket(location.bucket).objects[location.key]?.last
        let tag = latest?.content == nil ? nil : latest?.tag
        if tag == nil, conditions.ifMatch != nil { throw .noSuchKey }
        guard conditions.writeVerdict(tag: tag) == .proceed else { throw .preconditionFailed }
    }

    mutating func delete(
        _ wanted: ObjectVersion, _ conditions: S3Conditions, now: Int64
    ) throws(ObjectStoreFailure) -> ObjectDeletion {
        let (name, key) = (wanted.location.bucket, wanted.location.key)
        let bucket = try bucket(name)
        if let ifMatch = conditions.ifMatch {
            let found: Version
            do throws(ObjectStoreFailure) { found = try version(wanted) } catch {
                throw .noSuchKey
            }
            guard S3Conditions(ifMatch: ifMatch).writeVerdict(tag: found.tag) == .proceed else {
                throw .preconditionFailed
            }
        }
        if let id = wanted.id {
            let isMarker = bucket.objects[key]?.contains { $0.id == id && $0.content == nil }
            try change(name) {
                let left = ($0.objects[key] ?? []).filter { $0.id != id }
                $0.objects[key] = left.isEmpty ? nil : left
            }
            return ObjectDeletion(versionID: id, isMarker: isMarker ?? false)
        }
        guard bucket.hasVersions else {
            try change(name) { $0.objects[key] = nil }
            return ObjectDeletion(versionID: nil, isMarker: false)
        }
        let marker = Version(
            id: nextIdentifier(), content: nil, tag: S3EntityTag(""), modified: now,
            attributes: ObjectAttributes(), tagging: S3Tagging(tags: []), passedOn: [])
        try change(name) { $0.objects[key, default: []].append(marker) }
        return ObjectDeletion(versionID: marker.id, isMarker: true)
    }

    mutating func copy(
        _ source: ObjectVersion, _ conditions: S3Conditions, to location: ObjectLocation,
        _ write: ObjectWrite, now: Int64
    ) throws(ObjectStoreFailure) -> ObjectWritten {
        let found = try copySource(source, conditions)
        var write = write
        if write.tagging == nil { write.tagging = found.tagging }
        return try store(
            found.content ?? [], at: location, write, tag: nextTag(), now: now)
    }

    func copySource(
        _ source: ObjectVersion, _ conditions: S3Conditions
    ) throws(ObjectStoreFailure) -> Version {
        let found = try version(source)
        guard conditions.copyVerdict(tag: found.tag, modified: found.modified) == .proceed else {
            throw .preconditionFailed
        }
        return found
    }

    mutating func setTags(
        _ wanted: ObjectVersion, _ tagging: S3Tagging
    ) throws(ObjectStoreFailure) {
        let found = try version(wanted)
        tamper(wanted.location) { versions in
            for index in versions.indices where versions[index].id == found.id {
                versions[index].tagging = tagging
            }
        }
    }
}
