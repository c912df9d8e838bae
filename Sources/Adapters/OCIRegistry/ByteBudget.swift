// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Bytes that answers may hold together while they come in. Each answer has a limit of its own, but
/// one pod can make the operator ask for more than a hundred at once.
final class ByteBudget: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    /// - Returns: false: there is not so much left, and nothing is taken.
    func take(_ count: Int) -> Bool {
        left.withLock { left in
            guard count <= left else { return false }
            left -= count
            return true
        }
    }

    func giveBack(_ count: Int) { left.withLock { $0 += count } }
}
