// SPDX-License-Identifier: Apache-2.0

/// How a sink writes events.
package enum EventEncoding: String, Sendable, CaseIterable {
    /// The line of the chain.
    case native
    /// OCSF 1.8, with the line in `raw_data`.
    case ocsf
}

extension EventLine {
    /// One JSON object without a line feed.
    package func bytes(as encoding: EventEncoding) -> [UInt8] {
        switch encoding {
        case .native: bytes
        case .ocsf: OCSFEvent.json(self)
        }
    }
}
