// SPDX-License-Identifier: Apache-2.0

/// What a segment is sealed with, from the object's data key, the segment's salt and the first 16
/// bytes of its header: another kind, part number, version or suite has other keys.
struct SegmentKeys<Cipher: AuthenticatedCipher>: Sendable {
    /// Seals the chunks.
    let encryption: Cipher.SealingKey
    /// Stands in the header. HKDF-SHA512 gives no two data keys the same one that anybody could
    /// find, so a segment opens with one data key only (eprint.iacr.org/2019/016 has two).
    let commitment: Octets32

    init(
        _ cipher: Cipher, dataKey: Cipher.Secret, identity: SegmentIdentity, salt: Octets32
    ) throws(SealedObjectFailure) {
        do throws(CipherFailure) {
            let secret =
                identity.kind == .footer
                ? try Self.metadataKey(cipher, dataKey: dataKey) : dataKey
            let key = try cipher.extract(secret, salt: salt)
            let prefix = identity.prefix
            encryption = try cipher.expandToSeal(key, info: KeyUse.encryption + prefix)
            commitment = try cipher.expandInClear(key, info: KeyUse.commitment + prefix)
        } catch { throw SealedObjectFailure(error) }
    }

    /// What footers and user metadata are sealed under.
    static func metadataKey(
        _ cipher: Cipher, dataKey: Cipher.Secret
    ) throws(CipherFailure) -> Cipher.Secret {
        let key = try cipher.extract(dataKey, salt: nil)
        return try cipher.expand(key, info: KeyUse.metadata)
    }
}

/// The info strings of HKDF-Expand, in ASCII.
enum KeyUse {
    static let encryption = Array("CT1 enc".utf8)
    static let commitment = Array("CT1 commit".utf8)
    static let metadata = Array("CT1 meta".utf8)
    static let userMetadata = Array("CT1 user".utf8)
    static let wrap = Array("wrap".utf8)
}

extension AuthenticatedCipher {
    func checkedSecret(_ bytes: RawSpan) throws(SealedObjectFailure) -> Secret {
        guard bytes.byteCount == SealedObjectLimits.keyBytes else {
            throw .keyLengthWrong(bytes: bytes.byteCount)
        }
        do { return try secret(bytes) } catch { throw SealedObjectFailure(error) }
    }
}
