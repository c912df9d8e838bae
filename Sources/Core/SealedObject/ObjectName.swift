// SPDX-License-Identifier: Apache-2.0

/// Where an object is. The wrap of its data key is bound to it, so that an object served in
/// another's place does not open, and a copy or rename needs a new wrap but no new payload.
package struct ObjectName: Sendable, Hashable {
    // UTF-8, as S3 has it: texts that Unicode calls equivalent are two names.
    let tenant: [UInt8]
    let bucket: [UInt8]
    let key: [UInt8]

    /// - Parameter key: decoded from the request's path, without the slash before it.
    ///
    /// nil: a part is longer than its bound (`SealedObjectLimits`), or bucket or key is empty.
    package init?(tenant: String, bucket: String, key: String) {
        self.tenant = Array(tenant.utf8)
        self.bucket = Array(bucket.utf8)
        self.key = Array(key.utf8)
        guard self.tenant.count <= SealedObjectLimits.tenantBytesMax,
            (1...SealedObjectLimits.bucketBytesMax).contains(self.bucket.count),
            (1...SealedObjectLimits.keyNameBytesMax).contains(self.key.count)
        else { return nil }
    }

    /// SHA-256 of `CT1` and, for tenant, bucket and key, the length (4 bytes, big-endian) and the
    /// bytes. The lengths keep `a/b` in `c` apart from `b` in `c/a`.
    package func context(_ cipher: some AuthenticatedCipher) -> Octets32 {
        var bytes = Array("CT1".utf8)
        for part in [tenant, bucket, key] {
            bytes.append(bigEndian: UInt32(part.count))
            bytes += part
        }
        return cipher.sha256(bytes)
    }
}
