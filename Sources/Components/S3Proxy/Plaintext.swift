// SPDX-License-Identifier: Apache-2.0

/// Content on its way through the proxy, pulled piece by piece by one task.
///
/// nil comes only behind the last byte, and only when all of it was checked.
protocol Plaintext: AnyObject, Sendable {
    func next() async throws(Refusal) -> [UInt8]?
}
