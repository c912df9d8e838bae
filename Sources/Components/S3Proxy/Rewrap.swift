// SPDX-License-Identifier: Apache-2.0
internal import ObjectKeyPorts
internal import ObjectStorePorts
package import S3Format
internal import SealedObject

/// What came of wrapping keys anew.
package struct RewrapReport: Sendable, Equatable {
    package struct Failure: Sendable, Equatable {
        package let key: S3Key
        /// S3's code, and what to do.
        package let reason: String
    }

    package var seen = 0
    package var rewrapped = 0
    /// The vault wraps them already as it would now.
    package var unchanged = 0
    package var failures: [Failure] = []
    /// Failures beyond those that are listed.
    package var moreFailures = 0
    /// All up to this key are done: where to go on.
    package var last: S3Key?
    /// Why it ended before the end; nil: all is done.
    package var stopped: String?

    package static let failuresMax = 1000

    package var failed: Int { failures.count + moreFailures }

    mutating func fail(_ key: S3Key, _ refusal: Refusal) {
        let error = refusal.error
        guard failures.count < Self.failuresMax else { return moreFailures += 1 }
        failures.append(Failure(key: key, reason: "\(error.code.rawValue): \(error.message)"))
    }
}

extension S3Proxy {
    /// Wraps a bucket's epoch keys anew with the vault's latest key. Objects are not touched: after
    /// it the vault may give up the older versions of its key.
    ///
    /// - Parameter progress: gets the state after each page.
    package func rewrapKeys(
        of bucket: S3Bucket, progress: (RewrapReport) -> Void = { _ in }
    ) async -> RewrapReport {
        guard let prefix = settings.rules.ownKey(EpochKeys<Cipher>.tablePath) else {
            return RewrapReport()
        }
        return await rewrap(bucket, prefix, after: .empty, progress) { key throws(Refusal) in
            let reference = String(
                decoding: key.bytes.dropFirst(prefix.count), as: UTF8.self)
            do throws(KeyFailure) {
                return try await self.keys.rewrapEpochKey(reference, of: bucket)
            } catch { throw .key(error) }
        }
    }

    /// Wraps the data keys of a bucket's objects anew, under the key that new objects get now: by a
    /// copy of each object onto itself inside the store. Content does not go through the proxy. The
    /// store gives each object a new time and tag, and a new version where it keeps versions.
    ///
    /// - Parameter after: goes on behind this key.
    package func rewrapObjects(
        of bucket: S3Bucket, prefix: S3Key = .empty, after: S3Key = .empty,
        progress: (RewrapReport) -> Void = { _ in }
    ) async -> RewrapReport {
        await rewrap(bucket, prefix, after: after, progress) { key throws(Refusal) in
            guard !self.settings.rules.isReserved(key) else { return nil }
            let location = ObjectLocation(bucket, key)
            // What is there unsealed and may be has no key.
            guard try await self.unsealed(location.latest, .none) == nil else { return nil }
            try await self.rewrap(location)
            return true
        }
    }

    /// - Parameter work: whether a key was wrapped anew; nil: it is none to be.
    private func rewrap(
        _ bucket: S3Bucket, _ prefix: S3Key, after: S3Key, _ progress: (RewrapReport) -> Void,
        _ work: (S3Key) async throws(Refusal) -> Bool?
    ) async -> RewrapReport {
        var report = RewrapReport()
        report.last = after.isEmpty ? nil : after
        while true {
            // By the last key and not by the store's token: a later run can go on there.
            let query = ObjectQuery(prefix: prefix, start: .after(report.last ?? .empty))
            let page: ObjectListPage
            do throws(ObjectStoreFailure) { page = try await store.list(bucket, query) } catch {
                report.stopped = S3Error(error).message
                return report
            }
            for object in page.objects {
                guard object.key > report.last ?? .empty else {
                    report.stopped = "the store's list does not go on behind the last key"
                    return report
                }
                do throws(Refusal) {
                    guard let isChanged = try await work(object.key) else {
                        report.last = object.key
                        continue
                    }
                    report.seen += 1
                    if isChanged { report.rewrapped += 1 } else { report.unchanged += 1 }
                } catch {
                    report.seen += 1
                    report.fail(object.key, error)
                    // With the vault or the store away, all others would fail as well.
                    if error.isOutage {
                        report.stopped = error.error.message
                        progress(report)
                        return report
                    }
                }
                report.last = object.key
            }
            progress(report)
            guard page.next != nil, !page.objects.isEmpty, !Task.isCancelled else { break }
        }
        if Task.isCancelled { report.stopped = "it was ended" }
        return report
    }

    private func rewrap(_ location: ObjectLocation) async throws(Refusal) {
        let object = try await reader.unlock(location.latest, .none)
        let headers = try reader.headers(object)
        let name = try reader.name(location)
        let key: ObjectKey
        do throws(KeyFailure) {
            key = try await keys.wrapping(object.dataKey, for: name, in: location.bucket)
        } catch { throw .key(error) }
        let write = ObjectWrite(
            attributes: try attributes(key, object.envelope.content, headers),
            conditions: .only(object.head.tag),
            passedOn: object.head.passedOn.filter { Self.isPassedOn($0.name) })
        do throws(ObjectStoreFailure) {
            _ = try await copy(object, to: location, write)
        } catch {
            // Somebody wrote it in the meantime: with the key of now.
            guard error != .preconditionFailed else { return }
            throw .store(error)
        }
    }
}

extension Refusal {
    var isOutage: Bool {
        switch self {
        case .key(let failure): failure.isTransient
        case .store(let failure): failure.isTransient
        default: false
        }
    }
}
