// SPDX-License-Identifier: Apache-2.0
import CLinux
import COpenSSL
import Glibc
package import SecretMemory
import Synchronization

/// Points OpenSSL at secret memory. `install` must be the process's first OpenSSL call of all:
/// OpenSSL takes another allocator only before its own first allocation.
///
/// What may hold plaintext or keys goes to one SecretArena, the rest to malloc(3), as
/// `AllocationFile` says. Everything is zeroed when it is freed, wherever it was.
/// Not covered: OpenSSL's temporaries on the stack and in registers.
package enum OpenSSLAllocator {
    /// What became of OpenSSL's memory. Sizes in bytes.
    package struct Report: Sendable, Equatable {
        /// The kind of memory the arena is in.
        package let tier: MemoryTier
        /// `tier`, or `.ordinary` once something that belongs in the arena spilled.
        package let weakestTier: MemoryTier
        package let arenaBytes: Int
        /// Most ever in use of the arena at once.
        package let peakBytes: Int
        package let liveBytes: Int
        /// Most ever in use of ordinary memory at once, by routing.
        package let ordinaryPeakBytes: Int
        package let ordinaryLiveBytes: Int
        /// What belongs in the arena and was put in ordinary memory because the arena was full.
        package let spilledBytes: Int
        package let spilled: Int
        /// Requests refused because the arena was full; OpenSSL reports them as out of memory.
        package let refused: Int
        /// Whether `shutDown` gave the arena back.
        package let isShutDown: Bool
    }

    /// What the code inside `withAllocations` reads.
    package enum Content: Sendable {
        /// Public data only, such as trust anchors: ordinary memory, whatever file allocates.
        case `public`
        /// Data that may be secret throughout, such as a private key: what the parsers allocate
        /// goes to the arena too.
        case secret
    }

    /// Smallest arena (bytes) in which TLS 1.2 and 1.3 handshakes and an answer in records of
    /// 16 KiB were measured to fit, with SSL_MODE_RELEASE_BUFFERS and a send fragment of 512
    /// bytes: 40,848 in use at the peak. Figures: docs/reference/secret-memory.md.
    package static let arenaBytesMinimum = 44 << 10

    /// Arena size (bytes) to ask for under a limit of locked memory: the minimum where that
    /// leaves little more, else a generous one that leaves most of the limit for values.
    /// - Parameter lockLimitBytes: soft RLIMIT_MEMLOCK.
    package static func arenaBytes(lockLimitBytes: UInt64) -> Int {
        lockLimitBytes < 512 << 10 ? arenaBytesMinimum : 192 << 10
    }

    /// Installs the allocator. A second call changes nothing and succeeds if the arena satisfies
    /// it.
    /// - Parameters:
    ///   - arenaBytes: size of the arena; see `arenaBytes(lockLimitBytes:)`.
    ///   - minimumTier: refuse rather than use an arena of a lower tier.
    ///   - maximumTier: do not ask for a higher tier; for tests of the fallback.
    ///   - exhaustion: what happens when the arena is full.
    package static func install(
        arenaBytes: Int, minimumTier: MemoryTier, maximumTier: MemoryTier = .secret,
        whenExhausted exhaustion: SecretArena.Exhaustion = .refuse
    ) throws(OpenSSLAllocatorFailure) {
        if let installed = Installed.current {
            guard installed.arena.tier >= minimumTier else {
                throw .memory(
                    .tierUnavailable(
                        MemoryShortage(
                            required: minimumTier, best: installed.arena.tier, errorNumber: 0,
                            bytes: arenaBytes)))
            }
            return
        }
        let arena: SecretArena
        do throws(SecretMemoryFailure) {
            arena = try SecretArena(
                bytes: arenaBytes, minimumTier: minimumTier, maximumTier: maximumTier,
                whenExhausted: exhaustion)
        } catch { throw .memory(error) }
        let installed = Installed(arena: arena)
        guard Installed.publish(installed) else { return }
        guard
            CRYPTO_set_mem_functions(
                { count, file, _ in openSSLAllocate(count, file) },
                { pointer, count, file, _ in openSSLReallocate(pointer, count, file) },
                { pointer, _, _ in openSSLFree(pointer) }) == 1
        else {
            Installed.withdraw()
            throw .tooLate
        }
        installed.measureContexts()
    }

    /// nil before `install`.
    package static var report: Report? { Installed.current?.report }

    /// Routes what `body` allocates on this thread by its content too, not by source file alone.
    package static func withAllocations<Result: ~Copyable, Failure: Error>(
        of content: Content, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let installed = Installed.current else { return try body() }
        installed.beginContent(content)
        defer { installed.endContent() }
        return try body()
    }

    /// Cleans OpenSSL up for good (OPENSSL_cleanup(3)), zeroes the arena and gives its locked
    /// memory back. No OpenSSL call may follow in this process. Idempotent.
    package static func shutDown() {
        guard let installed = Installed.current, installed.beginShutDown() else { return }
        OPENSSL_cleanup()
        installed.arena.retire()
    }
}

/// Why OpenSSL's memory could not be secured.
package enum OpenSSLAllocatorFailure: Error, Equatable {
    case memory(SecretMemoryFailure)
    /// OpenSSL has already allocated: something called it before.
    case tooLate
}

private func openSSLAllocate(
    _ count: Int, _ file: UnsafePointer<CChar>?
) -> UnsafeMutableRawPointer? {
    Installed.current?.allocate(count, file: file)
}

private func openSSLReallocate(
    _ pointer: UnsafeMutableRawPointer?, _ count: Int, _ file: UnsafePointer<CChar>?
) -> UnsafeMutableRawPointer? {
    guard let pointer else { return openSSLAllocate(count, file) }
    guard count > 0 else {
        openSSLFree(pointer)
        return nil
    }
    return Installed.current?.reallocate(pointer, to: count, file: file)
}

private func openSSLFree(_ pointer: UnsafeMutableRawPointer?) {
    guard let pointer else { return }
    Installed.current?.free(pointer)
}

/// The allocator in force: the arena, the routing and the counts.
private final class Installed: Sendable {
    private struct State: ~Copyable {
        let cache = AllocationFileCache()
        var contexts: ContextSizes?
        var ordinaryBytes = 0
        var ordinaryPeakBytes = 0
        /// While `contexts` is nil: the sizes last asked for by their files.
        var seen = ContextSizes()
        /// Contents in force, each for the thread that declared it; the innermost is last.
        var contents: [(thread: pthread_t, content: OpenSSLAllocator.Content)] = []
        var isShutDown = false

        var contentOfThisThread: OpenSSLAllocator.Content? {
            let thread = pthread_self()
            return contents.last { $0.thread == thread }?.content
        }
    }

    let arena: SecretArena
    private let state = Mutex(State())

    /// OpenSSL's callbacks carry no context, so the allocator in force is process-wide, as
    /// OpenSSL's own choice of allocator is.
    private static let installation = Mutex<Installed?>(nil)

    static var current: Installed? { installation.withLock { $0 } }

    init(arena: SecretArena) { self.arena = arena }

    /// False when another thread was first.
    static func publish(_ installed: Installed) -> Bool {
        installation.withLock { current in
            guard current == nil else { return false }
            current = installed
            return true
        }
    }

    static func withdraw() { installation.withLock { $0 = nil } }

    var report: OpenSSLAllocator.Report {
        let arenaNow = arena.statistics
        let weakest = arena.weakestTier
        return state.withLock { state in
            OpenSSLAllocator.Report(
                tier: arena.tier, weakestTier: weakest, arenaBytes: arenaNow.capacityBytes,
                peakBytes: arenaNow.peakBytes, liveBytes: arenaNow.liveBytes,
                ordinaryPeakBytes: state.ordinaryPeakBytes,
                ordinaryLiveBytes: state.ordinaryBytes, spilledBytes: arenaNow.spilledBytes,
                spilled: arenaNow.spilled, refused: arenaNow.refused,
                isShutDown: state.isShutDown)
        }
    }

    /// Learns the size of the contexts that carry keys or data, by making one of each.
    func measureContexts() {
        EVP_CIPHER_CTX_free(EVP_CIPHER_CTX_new())
        EVP_MD_CTX_free(EVP_MD_CTX_new())
        state.withLock { $0.contexts = $0.seen }
    }

    /// Declares what the calling thread's allocations hold, until `endContent`.
    func beginContent(_ content: OpenSSLAllocator.Content) {
        let thread = pthread_self()
        state.withLock { $0.contents.append((thread, content)) }
    }

    func endContent() {
        let thread = pthread_self()
        state.withLock { state in
            guard let index = state.contents.lastIndex(where: { $0.thread == thread }) else {
                return
            }
            state.contents.remove(at: index)
        }
    }

    /// True for the first caller.
    func beginShutDown() -> Bool {
        state.withLock { state in
            defer { state.isShutDown = true }
            return !state.isShutDown
        }
    }

    func allocate(_ count: Int, file: UnsafePointer<CChar>?) -> UnsafeMutableRawPointer? {
        guard count > 0 else { return nil }
        let isOrdinary = route(count, file) == .ordinary
        return counted(isOrdinary ? malloc(count) : arena.allocate(count))
    }

    /// Where a block is now decides, so that nothing moves from the arena to ordinary memory
    /// (unless it spills). Ordinary memory that a secret file grows moves to the arena.
    func reallocate(
        _ pointer: UnsafeMutableRawPointer, to count: Int, file: UnsafePointer<CChar>?
    ) -> UnsafeMutableRawPointer? {
        if arena.contains(pointer) { return counted(arena.reallocate(pointer, to: count)) }
        guard let moved = allocate(count, file: file) else { return nil }
        moved.copyMemory(from: pointer, byteCount: min(clinux_usable_size(pointer), count))
        free(pointer)
        return moved
    }

    func free(_ pointer: UnsafeMutableRawPointer) {
        if !arena.contains(pointer) { countOrdinary(-clinux_usable_size(pointer)) }
        // Spilled or routed, memory outside the arena is the C library's, and zeroed all the same.
        arena.free(pointer)
    }

    private func counted(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let pointer, !arena.contains(pointer) { countOrdinary(clinux_usable_size(pointer)) }
        return pointer
    }

    private func countOrdinary(_ bytes: Int) {
        state.withLock { state in
            state.ordinaryBytes += bytes
            state.ordinaryPeakBytes = max(state.ordinaryPeakBytes, state.ordinaryBytes)
        }
    }

    private func route(_ bytes: Int, _ file: UnsafePointer<CChar>?) -> AllocationRoute {
        // An address, not a pointer: only sendable values may enter the lock.
        let address = UInt(bitPattern: file)
        return state.withLock { state in
            let kind = state.cache.kind(of: address)
            if state.contexts == nil {
                if kind == .cipherContext { state.seen.cipher = bytes }
                if kind == .digestContext { state.seen.digest = bytes }
            }
            let content = state.contents.isEmpty ? nil : state.contentOfThisThread
            return kind.route(bytes: bytes, contexts: state.contexts, content: content)
        }
    }
}
