// SPDX-License-Identifier: Apache-2.0
internal import Ports
internal import SecretMemory

/// Where OpenSSL keeps what it works on.
package enum OpenSSLMemory: Sendable {
    /// In an arena of secret memory, sized by the limit of locked memory. The store must then be
    /// the first to use OpenSSL in the process. The arena leaves `leavingBytes` of secret memory
    /// to be had, or is itself of a lower tier: delivering the values comes first.
    case arena(leavingBytes: Int = 0)
    /// Wherever OpenSSL is set up to: for a process that shares OpenSSL with others, such as a
    /// test that also runs the server.
    case unchanged

    /// Makes the choice take effect, before any other OpenSSL call.
    func prepare(minimumTier: MemoryTier) throws(SecretStoreFailure) {
        guard case .arena(let leavingBytes) = self else { return }
        do throws(SecretMemoryFailure) {
            let kept =
                leavingBytes > 0
                ? try SecretRegion(payloadBytes: leavingBytes, minimumTier: .ordinary) : nil
            defer { kept?.release() }
            try install(limit: try MemoryLockLimit.current(), minimumTier: minimumTier)
        } catch { throw .memory(error) }
    }

    /// The best tier comes before the size that the limit suggests: others may have taken their
    /// part of it already.
    private func install(
        limit: MemoryLockLimit, minimumTier: MemoryTier
    ) throws(SecretMemoryFailure) {
        let suggested = OpenSSLAllocator.arenaBytes(lockLimitBytes: limit.softBytes)
        for tier in [MemoryTier.secret, .locked] where tier > minimumTier {
            for bytes in [suggested, OpenSSLAllocator.arenaBytesMinimum] {
                do throws(SecretMemoryFailure) {
                    return try install(bytes: bytes, minimumTier: tier)
                } catch { guard case .tierUnavailable = error else { throw error } }
            }
        }
        do throws(SecretMemoryFailure) {
            try install(bytes: suggested, minimumTier: minimumTier)
        } catch {
            guard case .tierUnavailable = error else { throw error }
            try install(
                bytes: OpenSSLAllocator.arenaBytesMinimum, minimumTier: minimumTier)
        }
    }

    private func install(bytes: Int, minimumTier: MemoryTier) throws(SecretMemoryFailure) {
        do throws(OpenSSLAllocatorFailure) {
            try OpenSSLAllocator.install(arenaBytes: bytes, minimumTier: minimumTier)
        } catch {
            switch error {
            case .memory(let failure): throw failure
            // OpenSSL has memory of the ordinary kind already and keeps it.
            case .tooLate:
                throw .tierUnavailable(
                    MemoryShortage(
                        required: minimumTier, best: .ordinary, errorNumber: 0, bytes: bytes))
            }
        }
    }
}
