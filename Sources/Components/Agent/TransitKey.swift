// SPDX-License-Identifier: Apache-2.0

/// A key of a vault's transit engine.
package struct TransitKey: Sendable, Equatable, CustomStringConvertible {
    package static let bytesMax = 256

    package let mount: String
    package let name: String

    /// Reads `transit/events`; nil unless it is a mount, maybe with slashes, and a name, of ASCII
    /// letters, digits and `-_.`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count > 1, text.utf8.count <= Self.bytesMax, parts.allSatisfy(Self.isPart)
        else { return nil }
        mount = parts.dropLast().joined(separator: "/")
        name = String(parts[parts.count - 1])
    }

    private static func isPart(_ text: Substring) -> Bool {
        guard !text.isEmpty, text != ".", text != ".." else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
    }

    package var description: String { "\(mount)/\(name)" }
}
