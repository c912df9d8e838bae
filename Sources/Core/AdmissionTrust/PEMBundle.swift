// SPDX-License-Identifier: Apache-2.0

/// Certificates one after the other (RFC 7468).
package enum PEMBundle {
    private static let begin = "-----BEGIN CERTIFICATE-----"
    private static let end = "-----END CERTIFICATE-----"

    /// Each certificate's PEM, with its lines' ends as this program writes them; what stands
    /// between them is left out. Nothing is decoded.
    package static func certificates(in bytes: [UInt8]) -> [[UInt8]] {
        var found: [[UInt8]] = []
        var lines: [Substring] = []
        var isInside = false
        let text = String(decoding: bytes, as: UTF8.self)
        for line in text.split(whereSeparator: \.isNewline) {
            if line == begin {
                isInside = true
                lines = []
            }
            guard isInside else { continue }
            lines.append(line)
            guard line == end else { continue }
            found.append(Array((lines.joined(separator: "\n") + "\n").utf8))
            isInside = false
        }
        return found
    }

    package static func joined(_ certificates: [[UInt8]]) -> [UInt8] {
        Array(certificates.joined())
    }
}
