// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Room for the documents of all requests together: each is read whole, and what is made of it is
/// some times larger. Without a bound, as many requests as may be under way could fill the memory.
final class DocumentRoom: Sendable {
    private let bytesMax: Int
    private let taken = Atomic(0)

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// - Returns: false: there is none, and nothing was taken.
    func take(_ count: Int) -> Bool {
        guard taken.wrappingAdd(count, ordering: .relaxed).newValue > bytesMax else { return true }
        giveBack(count)
        return false
    }

    func giveBack(_ count: Int) { taken.wrappingSubtract(count, ordering: .relaxed) }
}
