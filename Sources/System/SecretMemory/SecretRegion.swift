// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// A mapping of whole pages with an inaccessible guard page on each side.
///
/// A plain value: whoever holds it decides when to `release` it (SecretBuffer in its deinit,
/// an arena never).
package struct SecretRegion: Sendable {
    static let canaryBytes = 8
    static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

    package let tier: MemoryTier
    /// Start of the usable pages.
    nonisolated(unsafe) package let payload: UnsafeMutableRawPointer
    /// Usable bytes: whole pages.
    package let payloadBytes: Int

    package init(payloadBytes: Int, minimumTier: MemoryTier) throws(SecretMemoryFailure) {
        let page = Self.pageBytes
        let pages = (payloadBytes + page - 1) / page
        self.payloadBytes = pages * page
        let base = try Self.reserve(bytes: self.payloadBytes + 2 * page)
        payload = base + page
        do throws(SecretMemoryFailure) {
            tier = try Self.back(payload, bytes: self.payloadBytes, minimumTier: minimumTier)
            // A forked child (the program before its execve, a keeper) has no business with it.
            guard madvise(payload, self.payloadBytes, Int32(MADV_DONTFORK)) == 0 else {
                throw .systemCall("madvise", errorNumber: errno)
            }
        } catch {
            munmap(base, self.payloadBytes + 2 * page)
            throw error
        }
    }

    /// Zeroes and unmaps.
    package func release() {
        clinux_zero(payload, payloadBytes)
        munmap(payload - Self.pageBytes, payloadBytes + 2 * Self.pageBytes)
    }

    func writeCanary(at offset: Int) {
        payload.storeBytes(of: Self.canary, toByteOffset: offset, as: UInt64.self)
    }

    func checkCanary(at offset: Int) {
        let found = payload.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        precondition(found == Self.canary, "a write ran past the end of secret memory")
    }

    /// Drawn once per process from the kernel (getrandom(2)).
    private static let canary: UInt64 = {
        var value: UInt64 = 0
        let result = withUnsafeMutableBytes(of: &value) { bytes in
            clinux_random(bytes.baseAddress, bytes.count)
        }
        precondition(result == 0, "the kernel has no randomness to give")
        return value | 1
    }()

    private static func reserve(
        bytes: Int
    ) throws(SecretMemoryFailure) -> UnsafeMutableRawPointer {
        let base = mmap(nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base, base != MAP_FAILED else {
            throw .systemCall("mmap", errorNumber: errno)
        }
        return base
    }

    /// Puts the best memory to be had behind the reserved pages.
    private static func back(
        _ payload: UnsafeMutableRawPointer, bytes: Int, minimumTier: MemoryTier
    ) throws(SecretMemoryFailure) -> MemoryTier {
        let secretError = mapSecret(payload, bytes: bytes)
        if secretError == 0 { return .secret }
        guard minimumTier < .secret else {
            throw .tierUnavailable(required: .secret, best: .locked, errorNumber: secretError)
        }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        guard mmap(payload, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED else {
            throw .systemCall("mmap", errorNumber: errno)
        }
        guard madvise(payload, bytes, Int32(MADV_DONTDUMP)) == 0 else {
            throw .systemCall("madvise", errorNumber: errno)
        }
        if mlock(payload, bytes) == 0 { return .locked }
        let lockError = errno
        guard minimumTier <= .ordinary else {
            throw .tierUnavailable(required: minimumTier, best: .ordinary, errorNumber: lockError)
        }
        return .ordinary
    }

    /// Returns 0, or the error number that refused.
    private static func mapSecret(_ payload: UnsafeMutableRawPointer, bytes: Int) -> Int32 {
        let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
        guard descriptor >= 0 else { return -descriptor }
        // The descriptor is the authority over these pages: it may not outlive the mapping call.
        defer { close(descriptor) }
        guard ftruncate(descriptor, bytes) == 0 else { return errno }
        let flags = MAP_SHARED | MAP_FIXED
        guard
            mmap(payload, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0) != MAP_FAILED
        else { return errno }
        let touched = clinux_touch_pages(payload, bytes)
        return touched == 0 ? 0 : -touched
    }
}
