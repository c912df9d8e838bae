// SPDX-License-Identifier: Apache-2.0

extension PartTable {
    private static let version: UInt8 = 1

    /// The footer's plaintext: version 1, layout, 2 zeros, number of rows (4), total (8); for each
    /// row number (4), plaintext bytes (8), salt (32); for each digest kind (1), bytes (1) and the
    /// digest; zeros up to the size that the layout has. Numbers are big-endian.
    package func footer(_ layout: FooterLayout) -> [UInt8] {
        let size = layout.plainBytes(upstreamParts: layout.upstreamParts(of: rows.count))
        var bytes: [UInt8] = [Self.version, layout.rawValue, 0, 0]
        bytes.reserveCapacity(size)
        bytes.append(bigEndian: UInt32(rows.count))
        bytes.append(bigEndian: UInt64(plainBytes))
        for row in rows {
            bytes.append(bigEndian: UInt32(row.number))
            bytes.append(bigEndian: UInt64(row.plainBytes))
            bytes.append(row.salt)
        }
        for digest in digests {
            bytes += [digest.kind.rawValue, UInt8(digest.bytes.count)]
            bytes += digest.bytes
        }
        bytes += [UInt8](repeating: 0, count: size - bytes.count)
        return bytes
    }

    /// Reads a footer's plaintext, which has been authenticated.
    ///
    /// - Parameters:
    ///   - layout: where the footer was found; it says so itself too.
    ///   - upstreamParts: of the object, from the suffix of its ETag or its part count.
    package init(
        footer content: [UInt8], _ layout: FooterLayout, upstreamParts: Int
    ) throws(PartTableRefusal) {
        let bytes = content.span.bytes
        guard FooterLayout.upstreamParts.contains(upstreamParts),
            bytes.byteCount == layout.plainBytes(upstreamParts: upstreamParts),
            bytes[byte: 0] == Self.version, bytes[byte: 1] == layout.rawValue,
            bytes.bigEndian(at: 2, UInt16.self) == 0,
            Int(bytes.bigEndian(at: 4, UInt32.self)) == layout.clientParts(of: upstreamParts)
        else { throw .footerMalformed }
        var offset = FooterLayout.fixedBytes
        var rows: [Row] = []
        for _ in 0..<layout.clientParts(of: upstreamParts) {
            rows.append(try Self.row(bytes, at: offset))
            offset += FooterLayout.rowBytes
        }
        let digests = try Self.digests(content, at: offset)
        try self.init(rows, digests: digests)
        guard bytes.bigEndian(at: 8, UInt64.self) == UInt64(plainBytes) else {
            throw .footerMalformed
        }
    }

    private static func row(_ bytes: RawSpan, at offset: Int) throws(PartTableRefusal) -> Row {
        let number = Int(bytes.bigEndian(at: offset, UInt32.self))
        let size = bytes.bigEndian(at: offset + 4, UInt64.self)
        guard let plainBytes = Int(exactly: size),
            let salt = Octets32(bytes.extracting(offset + 12..<offset + FooterLayout.rowBytes))
        else { throw .partTooLarge(part: number) }
        return Row(number: number, plainBytes: plainBytes, salt: salt)
    }

    /// Up to the first zero, behind which all is zero.
    private static func digests(
        _ bytes: [UInt8], at start: Int
    ) throws(PartTableRefusal) -> [PlainDigest] {
        var digests: [PlainDigest] = []
        var rest = bytes[start...]
        while let first = rest.first, first != 0 {
            guard let kind = PlainDigest.Kind(rawValue: first),
                rest.count >= 2 + kind.byteCount,
                Int(rest[rest.startIndex + 1]) == kind.byteCount,
                let digest = PlainDigest(kind, Array(rest.dropFirst(2).prefix(kind.byteCount)))
            else { throw .digestsInvalid }
            digests.append(digest)
            rest = rest.dropFirst(2 + kind.byteCount)
        }
        guard rest.allSatisfy({ $0 == 0 }) else { throw .footerMalformed }
        return digests
    }

    /// Seals the table as a segment of kind 2.
    ///
    /// - Parameter salt: random, new for each call.
    package func sealedFooter<Cipher: AuthenticatedCipher>(
        _ layout: FooterLayout, _ cipher: Cipher, dataKey: RawSpan, salt: Octets32
    ) throws(SealedObjectFailure) -> [UInt8] {
        try cipher.sealWhole(footer(layout), dataKey: dataKey, identity: .footer, salt: salt)
    }

    /// Opens the footer of an object.
    ///
    /// - Parameters:
    ///   - suffix: the object's last `FooterLayout.suffixBytes`, or the whole object when it has
    ///     fewer.
    ///   - sealedObjectBytes: of the whole object.
    package static func open<Cipher: AuthenticatedCipher>(
        suffix: RawSpan, upstreamParts: Int, sealedObjectBytes: Int, _ cipher: Cipher,
        dataKey: RawSpan
    ) throws(SealedObjectFailure) -> (table: PartTable, layout: FooterLayout) {
        let candidates = FooterLayout.candidates(in: suffix, upstreamParts: upstreamParts)
        guard !candidates.isEmpty else { throw .notSealed }
        for (layout, offset) in candidates {
            let plain: [UInt8]
            do {
                plain = try cipher.openWhole(
                    suffix.extracting(offset..<suffix.byteCount), dataKey: dataKey,
                    identity: .footer)
            } catch {
                guard error == .notAuthentic else { throw error }
                continue
            }
            let table = try read(plain, layout, upstreamParts, sealedObjectBytes)
            return (table, layout)
        }
        throw .notAuthentic
    }

    private static func read(
        _ plain: [UInt8], _ layout: FooterLayout, _ upstreamParts: Int, _ sealedObjectBytes: Int
    ) throws(SealedObjectFailure) -> PartTable {
        do {
            let table = try PartTable(footer: plain, layout, upstreamParts: upstreamParts)
            try table.check(sealedObjectBytes: sealedObjectBytes, layout)
            return table
        } catch { throw .partTable(error) }
    }
}

extension AuthenticatedCipher {
    /// Seals what is in memory anyway.
    package func sealWhole(
        _ plaintext: [UInt8], dataKey: RawSpan, identity: SegmentIdentity, salt: Octets32
    ) throws(SealedObjectFailure) -> [UInt8] {
        var sealer = try SealerStateMachine(
            self, dataKey: dataKey, identity: identity, salt: salt, plainBytes: plaintext.count)
        var sealed: [UInt8] = []
        sealed.reserveCapacity(SegmentSize.sealedSize(of: plaintext.count) ?? 0)
        var scratch = [UInt8](repeating: 0, count: SealedObjectLimits.outputBytesMax)
        var offset = 0
        while true {
            let rest = plaintext.span.bytes.extracting(offset..<plaintext.count)
            let action = try scratch.withOutput { output throws(SealedObjectFailure) in
                try sealer.push(rest, into: output)
            }
            guard case .pass(let taken, let written) = action else { break }
            sealed += scratch[written]
            offset += taken
        }
        let last = try scratch.withOutput { output throws(SealedObjectFailure) in
            try sealer.finish(into: output)
        }
        return sealed + scratch[last]
    }

    /// Opens what is in memory anyway.
    package func openWhole(
        _ sealed: RawSpan, dataKey: RawSpan, identity: SegmentIdentity
    ) throws(SealedObjectFailure) -> [UInt8] {
        var opener = try OpenerStateMachine(self, dataKey: dataKey, identity: identity)
        var plain: [UInt8] = []
        plain.reserveCapacity(sealed.byteCount)
        var scratch = [UInt8](repeating: 0, count: SealedObjectLimits.outputBytesMax)
        var offset = 0
        while true {
            let rest = sealed.extracting(offset..<sealed.byteCount)
            let action = try scratch.withOutput { output throws(SealedObjectFailure) in
                try opener.push(rest, into: output)
            }
            guard case .pass(let taken, let written) = action else { break }
            plain += scratch[written]
            offset += taken
        }
        let last = try scratch.withOutput { output throws(SealedObjectFailure) in
            try opener.finish(into: output)
        }
        return plain + scratch[last]
    }
}

extension [UInt8] {
    mutating func withOutput<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeMutableBufferPointer { buffer throws(Failure) in
            try body(UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
