// SPDX-License-Identifier: Apache-2.0
internal import Checksums
internal import ObjectStorePorts
internal import S3Format
internal import SealedObject
internal import SecretMemory

/// An upload in parts as any replica finds it: its key, and where its state stands.
struct UploadState: Sendable {
    let upload: ObjectUpload
    let envelope: KeyEnvelope
    let dataKey: SecretBlock
    let context: Octets32
    let places: UploadPlaces
}

/// Where the proxy keeps what it has to remember of an upload: in the bucket, under the reserved
/// prefix. What stands there is public, or sealed.
struct UploadPlaces: Sendable {
    /// Of the envelope's text.
    let state: ObjectLocation
    private let rules: S3Rules
    private let bucket: S3Bucket
    private let base: String

    /// nil: the reserved prefix is too long for keys of our own.
    init?(_ upload: ObjectUpload, _ rules: S3Rules, _ cipher: some AuthenticatedCipher) {
        var bytes = Array("CT1 upload".utf8)
        for part in [upload.location.bucket.name, upload.location.key.text, upload.id] {
            for shift in [24, 16, 8, 0] {
                bytes.append(UInt8(truncatingIfNeeded: part.utf8.count >> shift))
            }
            bytes += Array(part.utf8)
        }
        base = "ct1/uploads/" + Base64URL.text(cipher.sha256(bytes).array) + "/"
        bucket = upload.location.bucket
        self.rules = rules
        guard let key = rules.ownKey(base + "state") else { return nil }
        state = ObjectLocation(bucket, key)
    }

    /// The token of the last attempt at a part, for clients that ask which parts are there.
    func record(_ number: Int) -> ObjectLocation? { place(Self.parts + Self.padded(number)) }

    /// The token of that attempt at a part which the store names by `tag`. Attempts that overtake
    /// each other write no other's.
    func record(
        _ number: Int, _ tag: S3EntityTag, _ cipher: some AuthenticatedCipher
    ) -> ObjectLocation? {
        let hash = cipher.sha256(Array(tag.bare.utf8)).array.prefix(Self.tagHashBytes)
        return place(Self.parts + Self.padded(number) + "-" + Base64URL.text(Array(hash)))
    }

    /// What records start with.
    var records: S3Key? { rules.ownKey(base + Self.parts) }

    /// Behind the record of a part.
    func record(after number: Int) -> S3Key? {
        rules.ownKey(base + Self.parts + Self.padded(number))
    }

    /// Of a record's key.
    static func number(ofRecord key: S3Key) -> Int? {
        Int(String(decoding: key.bytes.suffix(digits), as: UTF8.self))
    }

    private static let parts = "parts/"
    private static let digits = 5
    private static let tagHashBytes = 16

    /// Lists sort by text.
    private static func padded(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    /// The sealed bytes of one attempt at a small part.
    func spool(_ number: Int, _ salt: Octets32) -> ObjectLocation? {
        place("spool/\(number)-\(Base64URL.text(salt.array))")
    }

    /// What all of it starts with.
    var prefix: S3Key? { rules.ownKey(base) }

    private func place(_ rest: String) -> ObjectLocation? {
        rules.ownKey(base + rest).map { ObjectLocation(bucket, $0) }
    }
}

/// What a client gets as the entity tag of a part: all that completing the upload takes, so that
/// any replica can do it. Whoever changes it, or names another attempt's, is found out.
///
/// Shape: base64url of salt (32), bytes of the content (8, big-endian) and a code (16) that only
/// the data key makes, a dash, the store's tag.
struct PartToken: Sendable, Equatable {
    let number: Int
    let size: Int64
    let salt: Octets32
    /// The store's; of a part that is kept apart: `spooled`.
    let tag: S3EntityTag

    static let spooled = S3EntityTag("\"spool\"")
    /// What holds the place of such a part in the store's list; no sealed part is as short.
    static let placeholder: [UInt8] = [0]

    private static let codeBytes = 16
    private static let textBytes = 75

    func text(
        _ cipher: some AuthenticatedCipher, _ dataKey: SecretBlock
    ) throws(Refusal) -> String {
        let bytes = salt.array + Self.octets(size) + (try code(cipher, dataKey))
        return Base64URL.text(bytes) + "-" + tag.bare
    }

    /// nil: not made by this upload's key for this part.
    init?(
        _ client: S3EntityTag, number: Int, _ cipher: some AuthenticatedCipher,
        _ dataKey: SecretBlock
    ) throws(Refusal) {
        let text = client.bare.utf8
        guard text.count > Self.textBytes + 1,
            let bytes = Base64URL.bytes(String(client.bare.prefix(Self.textBytes))),
            bytes.count == Octets32.byteCount + 8 + Self.codeBytes,
            text.dropFirst(Self.textBytes).first == UInt8(ascii: "-"),
            let salt = Octets32(bytes[..<Octets32.byteCount])
        else { return nil }
        let size = bytes[32..<40].reduce(0) { $0 << 8 | Int64($1) }
        self.init(
            number: number, size: size, salt: salt,
            tag: S3EntityTag("\"\(client.bare.dropFirst(Self.textBytes + 1))\""))
        let (own, named) = (try code(cipher, dataKey), Array(bytes[40...]))
        guard ConstantTime.areEqual(own.span.bytes, named.span.bytes) else { return nil }
    }

    init(number: Int, size: Int64, salt: Octets32, tag: S3EntityTag) {
        self.number = number
        self.size = size
        self.salt = salt
        self.tag = tag
    }

    private func code<Cipher: AuthenticatedCipher>(
        _ cipher: Cipher, _ dataKey: SecretBlock
    ) throws(Refusal) -> [UInt8] {
        let info =
            Array("CT1 part".utf8) + Self.octets(Int64(number)) + Self.octets(size) + salt.array
            + Array(tag.bare.utf8)
        do throws(CipherFailure) {
            let secret = try dataKey.withBytes { dataKey throws(CipherFailure) in
                try cipher.secret(dataKey)
            }
            let code = try cipher.expandInClear(cipher.extract(secret, salt: nil), info: info)
            return Array(code.array.prefix(Self.codeBytes))
        } catch { throw .sealed(SealedObjectFailure(error)) }
    }

    private static func octets(_ number: Int64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map {
            UInt8(truncatingIfNeeded: number >> Int64($0))
        }
    }
}
