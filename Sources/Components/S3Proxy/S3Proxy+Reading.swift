// SPDX-License-Identifier: Apache-2.0
internal import ObjectServerPorts
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject
internal import SecretMemory
internal import ServedHTTP

/// What of an object is sent.
struct Selection: Sendable, Equatable {
    /// Bytes of the content.
    let range: Range<Int64>
    let isPart: Bool

    static func whole(_ size: Int64) -> Selection { Selection(range: 0..<size, isPart: false) }
}

extension S3Proxy {
    // MARK: - GetObject

    func getObject(_ exchange: Exchange) async throws(Refusal) {
        let version = try exchange.version()
        if let head = try await unsealed(version, exchange.conditions()) {
            return try await getUnsealed(exchange, version, head)
        }
        let range = Self.range(exchange)
        // Which bytes of the store's object those are depends on its size, but for a range that
        // begins at a byte of an object in one piece.
        guard exchange.request.partNumber == nil, let guess = Self.sealedGuess(range) else {
            let object = try await reader.unlock(version, exchange.conditions())
            return try await send(object, try select(object, exchange), exchange)
        }
        let again = try await read(version, guess, exchange.conditions()) {
            answer, stream throws(Refusal) -> UnlockedObject? in
            let object = try await self.reader.unlock(version, answer.head)
            let selection = try self.select(object, exchange)
            guard
                let opening = try self.opening(object, selection.range, answer.part, stream)
            else { return object }
            try await self.send(object, selection, opening, exchange)
            return nil
        }
        guard let again else { return }
        try await send(again, try select(again, exchange), exchange)
    }

    private static func range(_ exchange: Exchange) -> S3ByteRange? {
        exchange.request.headers["range"].flatMap { S3ByteRange(header: $0) }
    }

    /// The store's bytes of a range, if the object is in one piece. nil: its size counts.
    private static func sealedGuess(_ range: S3ByteRange?) -> S3ByteRange?? {
        let chunk = Int64(SealedObjectLimits.chunkBytes)
        let sealed = Int64(SealedObjectLimits.sealedChunkBytes)
        let header = Int64(SealedObjectLimits.headerBytes)
        let most = Int64(SealedObjectLimits.chunksMax)
        switch range {
        case nil: return .some(nil)
        case .from(let first, let last):
            guard first / chunk < most else { return nil }
            let end = last.flatMap { last in
                last / chunk < most ? header + (last / chunk + 1) * sealed - 1 : nil
            }
            return .some(.from(header + first / chunk * sealed, through: end))
        case .last: return nil
        }
    }

    private func select(
        _ object: UnlockedObject, _ exchange: Exchange
    ) throws(Refusal) -> Selection {
        if let number = exchange.request.partNumber { return try select(object, part: number) }
        guard let range = Self.range(exchange) else { return .whole(object.size) }
        guard case .part(let part) = range.resolved(size: object.size) else {
            throw .request(range.refusal(size: object.size))
        }
        return Selection(range: part, isPart: true)
    }

    private func select(_ object: UnlockedObject, part number: Int) throws(Refusal) -> Selection {
        guard let rows = object.parts else {
            guard number == 1 else { throw .request(S3Error(.invalidPartNumber)) }
            return Selection(range: 0..<object.size, isPart: object.size > 0)
        }
        guard number <= rows.count else { throw .request(S3Error(.invalidPartNumber)) }
        let start = rows[..<(number - 1)].reduce(0) { $0 + Int64($1.plainBytes) }
        let range = start..<start + Int64(rows[number - 1].plainBytes)
        return Selection(range: range, isPart: !range.isEmpty)
    }

    // MARK: - Content

    /// Lends a stream of the store. What `receive` throws comes through.
    func read<Outcome: Sendable>(
        _ version: ObjectVersion, _ range: S3ByteRange?, _ conditions: S3Conditions,
        _ receive: (ObjectAnswer, any ObjectStream) async throws(Refusal) -> Outcome
    ) async throws(Refusal) -> Outcome {
        let result: Result<Outcome, Refusal>
        do throws(ObjectStoreFailure) {
            result = try await store.read(version, range, conditions) { answer, stream in
                do throws(Refusal) {
                    return .success(try await receive(answer, stream))
                } catch { return .failure(error) }
            }
        } catch {
            guard case .rangeUnsatisfiable = error, range != nil else { throw .store(error) }
            // The size that the client is told is the content's.
            let object = try await reader.unlock(version, conditions)
            throw .request(
                range?.refusal(size: object.size) ?? S3Error(.invalidRange))
        }
        return try result.get()
    }

    /// Opens `range` out of a stream that has the sealed bytes `part`; nil: they are not all there.
    func opening(
        _ object: UnlockedObject, _ range: Range<Int64>, _ part: Range<Int64>,
        _ stream: any ObjectStream
    ) throws(Refusal) -> OpeningStream<Cipher>? {
        guard let plain = Self.ints(range), let there = Self.ints(part) else {
            throw .request(S3Error(.internalError))
        }
        // A whole object's first header is read with it, and has to be right.
        let isWhole = plain == 0..<Int(clamping: object.size)
        do throws(SealedObjectFailure) {
            switch object.layout {
            case .segment(let header):
                guard let wanted = SegmentRange(plain, of: Int(clamping: object.size)) else {
                    throw .truncated
                }
                let sealed = isWhole ? 0..<wanted.sealed.upperBound : wanted.sealed
                guard let skipped = Self.skipped(sealed, there) else { return nil }
                let opener = try object.dataKey.withBytes { key throws(SealedObjectFailure) in
                    isWhole
                        ? try OpenerStateMachine(
                            cipher, dataKey: key, identity: .object, salt: header.salt,
                            plainBytes: wanted.plainBytes)
                        : try OpenerStateMachine(
                            cipher, dataKey: key, header: header, range: wanted)
                }
                return OpeningStream(stream, opener, skipped: skipped, wanted: sealed.count)
            case .parts(let table, _):
                let wanted = MultipartRange(plain, of: table, withFirstHeader: isWhole)
                guard let wanted else { throw .truncated }
                guard let skipped = Self.skipped(wanted.sealed, there) else { return nil }
                let opener = try object.dataKey.withBytes { key throws(SealedObjectFailure) in
                    try MultipartOpenerStateMachine(
                        cipher, dataKey: key, table: table, range: wanted)
                }
                return OpeningStream(
                    stream, opener, skipped: skipped, wanted: wanted.sealed.count)
            }
        } catch { throw .sealed(error) }
    }

    private static func skipped(_ wanted: Range<Int>, _ there: Range<Int>) -> Int? {
        guard there.lowerBound <= wanted.lowerBound, wanted.upperBound <= there.upperBound else {
            return nil
        }
        return wanted.lowerBound - there.lowerBound
    }

    private static func ints(_ range: Range<Int64>) -> Range<Int>? {
        guard let first = Int(exactly: range.lowerBound), let end = Int(exactly: range.upperBound)
        else { return nil }
        return first..<end
    }

    /// The sealed bytes that hold a range.
    private static func sealed(
        _ object: UnlockedObject, _ range: Range<Int64>
    ) throws(Refusal) -> S3ByteRange {
        guard let plain = ints(range) else { throw .request(S3Error(.internalError)) }
        let sealed: Range<Int>? =
            switch object.layout {
            case .segment: SegmentRange(plain, of: Int(clamping: object.size))?.sealed
            case .parts(let table, _): MultipartRange(plain, of: table)?.sealed
            }
        guard let sealed, !sealed.isEmpty else { throw .sealed(.truncated) }
        let start = plain == 0..<Int(clamping: object.size) ? 0 : sealed.lowerBound
        return .from(Int64(start), through: Int64(sealed.upperBound) - 1)
    }

    /// Lends an unlocked object's content.
    func content<Outcome: Sendable>(
        _ object: UnlockedObject, _ range: Range<Int64>,
        _ receive: (OpeningStream<Cipher>) async throws(Refusal) -> Outcome
    ) async throws(Refusal) -> Outcome {
        let sealed = try Self.sealed(object, range)
        do throws(Refusal) {
            return try await read(
                object.version, sealed, .only(object.head.tag)
            ) { answer, stream throws(Refusal) in
                // Not all stores know conditions.
                guard answer.head.tag == object.head.tag else { throw .overtaken }
                guard let opening = try self.opening(object, range, answer.part, stream) else {
                    throw .store(.responseMalformed(detail: "another range than was asked for"))
                }
                return try await receive(opening)
            }
        } catch {
            guard case .store(let failure) = error else { throw error }
            throw Refusal(onlySame: failure)
        }
    }

    // MARK: - Answers

    private func send(
        _ object: UnlockedObject, _ selection: Selection, _ exchange: Exchange
    ) async throws(Refusal) {
        try await content(object, selection.range) { opening throws(Refusal) in
            try await self.send(object, selection, opening, exchange)
        }
    }

    /// The head goes out when the first chunk was found authentic. What is found wrong later cuts
    /// the connection.
    private func send(
        _ object: UnlockedObject, _ selection: Selection, _ opening: OpeningStream<Cipher>,
        _ exchange: Exchange
    ) async throws(Refusal) {
        var piece = try await opening.next()
        let length = Int64(selection.range.count)
        var fields = try fields(object, exchange)
        fields.append(content: selection.range, of: object.size, isPart: selection.isPart)
        try await exchange.begin(selection.isPart ? 206 : 200, fields)
        while let bytes = piece {
            try await exchange.write(bytes)
            piece = try await opening.next()
        }
        try await exchange.end()
        metrics.opened(length)
    }

    func headObject(_ exchange: Exchange) async throws(Refusal) {
        let version = try exchange.version()
        if let head = try await unsealed(version, exchange.conditions()) {
            return try await headUnsealed(exchange, head)
        }
        let object = try await reader.unlock(version, exchange.conditions())
        let selection = try select(object, exchange)
        var fields = try fields(object, exchange)
        fields.append(content: selection.range, of: object.size, isPart: selection.isPart)
        try await exchange.answer(selection.isPart ? 206 : 200, fields)
    }

    private func fields(
        _ object: UnlockedObject, _ exchange: Exchange
    ) throws(Refusal) -> [HeaderField] {
        let headers = try reader.headers(object)
        var fields = [
            HeaderField("ETag", ClientTag.client(object.head.tag).quoted),
            HeaderField("Last-Modified", HTTPDate.text(object.head.modified)),
            HeaderField("Accept-Ranges", "bytes"),
        ]
        fields.append("x-amz-version-id", ifThere: object.head.versionID)
        let overridden = Dictionary(
            SealedHeaders.names.compactMap { name in
                exchange.request.query["response-" + name].map { (name, $0) }
            }, uniquingKeysWith: { first, _ in first })
        let hasType = headers["content-type"] != nil || overridden["content-type"] != nil
        if !hasType { fields.append(HeaderField("Content-Type", "binary/octet-stream")) }
        for field in headers.fields where overridden[field.name] == nil {
            fields.append(HeaderField(field.name, field.value))
        }
        for name in SealedHeaders.names { fields.append(name, ifThere: overridden[name]) }
        for field in object.head.passedOn { fields.append(HeaderField(field.name, field.value)) }
        if exchange.request.partNumber != nil, let parts = object.parts {
            fields.append(HeaderField("x-amz-mp-parts-count", String(parts.count)))
        }
        return fields
    }

    func getObjectAttributes(_ exchange: Exchange) async throws(Refusal) {
        let wanted: Set<S3AttributeName>
        do throws(S3Error) {
            wanted = try S3AttributeName.request(exchange.request.headers)
        } catch { throw .request(error) }
        let object = try await reader.unlock(try exchange.version(), .none)
        let storage = object.head.passedOn.first { $0.name == "x-amz-storage-class" }?.value
        var fields = [HeaderField("Last-Modified", HTTPDate.text(object.head.modified))]
        fields.append("x-amz-version-id", ifThere: object.head.versionID)
        try await exchange.answer(
            document: S3AttributesDocument(
                tag: wanted.contains(.tag) ? ClientTag.client(object.head.tag) : nil,
                size: wanted.contains(.size) ? object.size : nil,
                storageClass: wanted.contains(.storageClass) ? storage ?? "STANDARD" : nil
            ).rendered(), fields)
    }
}
