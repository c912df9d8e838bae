// SPDX-License-Identifier: Apache-2.0
internal import ObjectStorePorts
internal import S3Format
internal import ServedHTTP

extension S3Proxy {
    func deleteObject(_ exchange: Exchange) async throws(Refusal) {
        let version = try exchange.version()
        let conditions = S3Conditions(ifMatch: exchange.conditions().ifMatch)
        let deletion: ObjectDeletion
        do throws(ObjectStoreFailure) {
            deletion = try await store.delete(version, conditions)
        } catch { throw .store(error) }
        var fields: [HeaderField] = []
        fields.append("x-amz-version-id", ifThere: deletion.versionID)
        if deletion.isMarker { fields.append(HeaderField("x-amz-delete-marker", "true")) }
        try await exchange.answer(204, fields)
    }

    func deleteObjects(_ exchange: Exchange) async throws(Refusal) {
        let bucket = try exchange.bucket()
        let document = try await exchange.body.collected(bytesMax: S3Limits.documentBytesMax)
        let request: S3DeleteRequest
        do throws(S3Error) { request = try S3DeleteRequest(document) } catch {
            throw .request(error)
        }
        let isReserved = { self.settings.rules.isReserved($0) }
        let allowed = request.entries.filter { !isReserved($0.key) }.map {
            S3DeleteRequest.Entry(
                key: $0.key, versionID: $0.versionID, tag: $0.tag.map(ClientTag.upstream))
        }
        var outcomes: [ObjectDeletionOutcome] = []
        if !allowed.isEmpty {
            do throws(ObjectStoreFailure) {
                outcomes = try await store.delete(allowed, in: bucket)
            } catch { throw .store(error) }
        }
        var entries = request.entries.filter { isReserved($0.key) }.map { entry in
            S3DeleteResult.Entry.failed(
                key: entry.key, versionID: entry.versionID,
                code: S3ErrorCode.accessDenied.rawValue,
                message: S3Rules.reservedRefusal.message)
        }
        for outcome in outcomes {
            if let entry = Self.result(outcome, isQuiet: request.isQuiet) { entries.append(entry) }
        }
        try await exchange.answer(document: S3DeleteResult(entries: entries).rendered())
    }

    private static func result(
        _ outcome: ObjectDeletionOutcome, isQuiet: Bool
    ) -> S3DeleteResult.Entry? {
        let entry = outcome.entry
        switch outcome.result {
        case .success(let deletion):
            guard !isQuiet else { return nil }
            return .deleted(
                key: entry.key, versionID: entry.versionID, isMarker: deletion.isMarker,
                marker: deletion.isMarker ? deletion.versionID : nil)
        case .failure(let failure):
            let error = S3Error(failure)
            return .failed(
                key: entry.key, versionID: entry.versionID, code: error.code.rawValue,
                message: error.message)
        }
    }

    // MARK: - Tags

    func getTagging(_ exchange: Exchange) async throws(Refusal) {
        let version = try exchange.version()
        let tagging: S3Tagging
        do throws(ObjectStoreFailure) {
            tagging = try await store.tags(version)
        } catch { throw .store(error) }
        try await exchange.answer(document: tagging.rendered())
    }

    func putTagging(_ exchange: Exchange) async throws(Refusal) {
        let document = try await exchange.body.collected(bytesMax: S3Limits.documentBytesMax)
        let tagging: S3Tagging
        do throws(S3Error) { tagging = try S3Tagging.request(document) } catch {
            throw .request(error)
        }
        let version = try exchange.version()
        do throws(ObjectStoreFailure) {
            try await store.setTags(version, tagging)
        } catch { throw .store(error) }
        try await exchange.answer()
    }

    func deleteTagging(_ exchange: Exchange) async throws(Refusal) {
        let version = try exchange.version()
        do throws(ObjectStoreFailure) {
            try await store.removeTags(version)
        } catch { throw .store(error) }
        try await exchange.answer(204)
    }
}
