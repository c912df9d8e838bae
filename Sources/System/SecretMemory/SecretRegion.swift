// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// A mapping of whole pages with an inaccessible guard page on each side.
///
/// A plain value: whoever holds it decides when to `release` it (SecretBuffer in its deinit,
/// an arena when it is retired).
///
/// Facts it builds on, each with a test in SecretMemoryTests:
/// - A forked child (a keeper, the program before its execve) does not have the pages
///   (MADV_DONTFORK), unless `inheritedByChildren`. The mapping is shared in every tier, so even
///   then the child sees the same pages, never a copy-on-write duplicate that nobody would zero.
/// - execve(2) drops the mapping.
/// - memfd_secret pages count against RLIMIT_MEMLOCK unless the process has CAP_IPC_LOCK.
package struct SecretRegion: Sendable {
    /// At least this many bytes behind the usable ones hold the canary.
    static let canaryBytes = 8
    static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

    package let tier: MemoryTier
    /// Start of the usable pages.
    nonisolated(unsafe) package let payload: UnsafeMutableRawPointer
    /// Usable bytes: whole pages.
    package let payloadBytes: Int

    /// - Parameters:
    ///   - payloadBytes: usable bytes, rounded up to whole pages.
    ///   - minimumTier: refuse rather than use memory of a lower tier.
    ///   - maximumTier: do not ask for a higher tier. Never raises what `minimumTier` allows:
    ///     it serves the tests of the fallback.
    ///   - inheritedByChildren: whether a forked child has the pages too.
    package init(
        payloadBytes: Int, minimumTier: MemoryTier, maximumTier: MemoryTier = .secret,
        inheritedByChildren: Bool = false
    ) throws(SecretMemoryFailure) {
        let page = Self.pageBytes
        let pages = (payloadBytes + page - 1) / page
        self.payloadBytes = pages * page
        let base = try Self.reserve(bytes: self.payloadBytes + 2 * page)
        payload = base + page
        do throws(SecretMemoryFailure) {
            tier = try Self.back(
                payload, bytes: self.payloadBytes, minimumTier: minimumTier,
                maximumTier: maximumTier)
            if !inheritedByChildren {
                try Self.advise(payload, bytes: self.payloadBytes, MADV_DONTFORK)
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

    /// Fills everything from `offset` to the end of the pages with the canary.
    func writeCanary(from offset: Int) {
        for index in offset..<payloadBytes {
            payload.storeBytes(of: Self.canaryByte(index), toByteOffset: index, as: UInt8.self)
        }
    }

    /// Ends the process when a byte from `offset` on is not the canary's: whoever overran may
    /// have overwritten more than this, so nothing may go on.
    func checkCanary(from offset: Int) {
        var difference: UInt8 = 0
        for index in offset..<payloadBytes {
            difference |=
                payload.load(fromByteOffset: index, as: UInt8.self) ^ Self.canaryByte(index)
        }
        precondition(difference == 0, "a write ran past the end of secret memory")
    }

    private static func canaryByte(_ index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: canary >> UInt64((index & 7) * 8))
    }

    /// Drawn once per process from the kernel (getrandom(2)).
    private static let canary: UInt64 = {
        var value: UInt64 = 0
        let result = withUnsafeMutableBytes(of: &value) { bytes in
            clinux_random(bytes.baseAddress, bytes.count)
        }
        precondition(result == 0, "the kernel has no randomness to give")
        // No zero byte: an overrun by zeros, the commonest kind, must show in every position.
        return value | 0x0101_0101_0101_0101
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
        _ payload: UnsafeMutableRawPointer, bytes: Int, minimumTier: MemoryTier,
        maximumTier: MemoryTier
    ) throws(SecretMemoryFailure) -> MemoryTier {
        var secretError: Int32 = 0
        if maximumTier >= .secret {
            secretError = mapSecret(payload, bytes: bytes)
            if secretError == 0 { return .secret }
        }
        let flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED
        guard mmap(payload, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED else {
            throw .systemCall("mmap", errorNumber: errno)
        }
        try advise(payload, bytes: bytes, MADV_DONTDUMP)
        var lockError: Int32 = 0
        var best = MemoryTier.ordinary
        if maximumTier >= .locked {
            if mlock(payload, bytes) == 0 { best = .locked } else { lockError = errno }
        }
        guard best >= minimumTier else {
            throw .tierUnavailable(
                shortage(
                    bytes: bytes, required: minimumTier, best: best,
                    errorNumber: minimumTier == .secret ? secretError : lockError))
        }
        return best
    }

    private static func shortage(
        bytes: Int, required: MemoryTier, best: MemoryTier, errorNumber: Int32
    ) -> MemoryShortage {
        // Where the kernel has no such call, no limit is the cause.
        MemoryShortage(
            required: required, best: best, errorNumber: errorNumber, bytes: bytes,
            limitBytes: errorNumber == ENOSYS ? nil : MemoryLockLimit.bindingBytes)
    }

    private static func advise(
        _ payload: UnsafeMutableRawPointer, bytes: Int, _ advice: Int32
    ) throws(SecretMemoryFailure) {
        guard madvise(payload, bytes, advice) == 0 else {
            throw .systemCall("madvise", errorNumber: errno)
        }
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
        return clinux_touch_pages(payload, bytes) == 0 ? 0 : ENOMEM
    }
}
