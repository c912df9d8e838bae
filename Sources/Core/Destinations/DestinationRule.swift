// SPDX-License-Identifier: Apache-2.0

/// Where a value may be sent.
package struct DestinationRule: Sendable, Hashable {
    /// Most rules of a workload.
    package static let countMax = 64
    /// Largest position of a value in its delivery.
    package static let secretMax = 65_535
    package static let portMax = 65_535

    /// Position of the value in the delivery; nil: every value.
    package let secret: Int?
    package let network: NetworkPrefix
    /// nil: every port.
    package let port: UInt16?

    package init(secret: Int?, network: NetworkPrefix, port: UInt16?) {
        self.secret = secret
        self.network = network
        self.port = port == 0 ? nil : port
    }
}
