// SPDX-License-Identifier: Apache-2.0
internal import Ports
internal import SecretMemory
import Synchronization

/// Makes the buffers of the exchange with a vault, and remembers the weakest tier that any got.
final class ExchangeMemory: Sendable {
    private let minimumTier: MemoryTier
    private let weakest = Mutex(MemoryTier.secret)

    init(minimumTier: MemoryTier) { self.minimumTier = minimumTier }

    /// Of every buffer so far; `secret` before the first.
    var weakestTier: MemoryTier { weakest.withLock { $0 } }

    func buffer(capacity: Int) throws(SecretStoreFailure) -> SecretBuffer {
        do throws(SecretMemoryFailure) {
            let made = try SecretBuffer(capacity: capacity, minimumTier: minimumTier)
            note(made.tier)
            return made
        } catch { throw .memory(error) }
    }

    /// A buffer of the exchange that was made elsewhere.
    func note(_ tier: MemoryTier) { weakest.withLock { $0 = min($0, tier) } }
}
