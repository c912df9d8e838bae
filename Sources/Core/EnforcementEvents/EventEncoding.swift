// SPDX-License-Identifier: Apache-2.0
import JSONFormat
import SecretMemory

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

extension EventEncoding {
    /// The chain's line in what a sink wrote, whatever the encoding was: an OCSF event gives its
    /// `raw_data`; anything else is taken for the line itself.
    package static func chainLine(in written: [UInt8]) -> [UInt8] {
        guard EventLink(ofLine: written) == nil else { return written }
        let raw = written.withUnsafeBytes { bytes -> String? in
            do throws(JSONFormatFailure) {
                let document = bytes.bytes
                let root = try JSONFormat.check(document)
                guard let value = try JSONFormat.value(at: ["raw_data"], from: root, in: document)
                else { return nil }
                return try JSONText.publicText(value, in: document)
            } catch { return nil }
        }
        return raw.map { Array($0.utf8) } ?? written
    }
}
