// SPDX-License-Identifier: Apache-2.0
internal import Ports
internal import SecretMemory

/// Where OpenSSL keeps what it works on.
package enum OpenSSLMemory: Sendable {
    /// In an arena of secret memory, sized by the limit of locked memory. The store must then be
    /// the first to use OpenSSL in the process.
    case arena
    /// Wherever OpenSSL is set up to: for a process that shares OpenSSL with others, such as a
    /// test that also runs the server.
    case unchanged

    /// Makes the choice take effect, before any other OpenSSL call.
    func prepare(minimumTier: MemoryTier) throws(SecretStoreFailure) {
        guard case .arena = self else { return }
        do throws(SecretMemoryFailure) {
            let limit = try MemoryLockLimit.current()
            try install(
                bytes: OpenSSLAllocator.arenaBytes(lockLimitBytes: limit.softBytes),
                minimumTier: minimumTier)
        } catch { throw .memory(error) }
    }

    private func install(bytes: Int, minimumTier: MemoryTier) throws(SecretMemoryFailure) {
        do throws(OpenSSLAllocatorFailure) {
            try OpenSSLAllocator.install(arenaBytes: bytes, minimumTier: minimumTier)
        } catch {
            switch error {
            case .memory(let failure): throw failure
            // OpenSSL has memory of the ordinary kind already and keeps it.
            case .tooLate:
                throw .tierUnavailable(required: minimumTier, best: .ordinary, errorNumber: 0)
            }
        }
    }
}
