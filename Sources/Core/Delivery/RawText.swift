// SPDX-License-Identifier: Apache-2.0

/// An argument or an environment entry as the kernel has it: bytes without NUL, in no particular
/// encoding. A `String` would repair what is not UTF-8 and so change it. Never holds a secret.
package struct RawText: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    package let bytes: [UInt8]

    package init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

    package init(stringLiteral text: String) { self.init(text) }

    /// - Parameter bytes: without NUL.
    package init(bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
        precondition(!self.bytes.contains(0), "NUL ends a text of the kernel")
    }

    /// Copies up to the NUL.
    package init(cString: UnsafePointer<CChar>) {
        var count = 0
        while cString[count] != 0 { count += 1 }
        bytes = (0..<count).map { UInt8(bitPattern: cString[$0]) }
    }

    /// For messages: what is not UTF-8 is replaced.
    package var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Of an environment entry: what stands before the first `=`, or everything.
    package var name: String {
        String(decoding: bytes.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
    }
}
