// SPDX-License-Identifier: Apache-2.0
package import Destinations

/// Where the index of the delivered values is (`LeakIndex`), and what may be known of it outside
/// secret memory.
package struct ValueIndex: Sendable, Equatable {
    /// A value that a scan does not find, or not as itself.
    package struct Gap: Sendable, Equatable {
        package enum Reason: Sendable, Equatable {
            case tooShort, tooUniform, noRoom
            /// It has no window that the value of that name does not have.
            case foundAs(name: String)
        }

        package let name: String
        package let reason: Reason

        package init(name: String, reason: Reason) {
            self.name = name
            self.reason = reason
        }
    }

    /// In every image of the tree that values are delivered to.
    package let address: UInt64
    package let byteCount: Int
    /// One bit for each hash.
    package let bitmap: [UInt8]
    package let gaps: [Gap]
    /// Windows that found no room.
    package let droppedWindows: Int

    package init(
        address: UInt64, byteCount: Int, bitmap: [UInt8], gaps: [Gap], droppedWindows: Int
    ) {
        self.address = address
        self.byteCount = byteCount
        self.bitmap = bitmap
        self.gaps = gaps
        self.droppedWindows = droppedWindows
    }
}

/// What the agent is asked to scan for, and where values may go all the same.
package struct OutputScan: Sendable, Equatable {
    package let index: ValueIndex
    package let rules: [DestinationRule]

    package init(index: ValueIndex, rules: [DestinationRule]) {
        self.index = index
        self.rules = rules
    }
}
