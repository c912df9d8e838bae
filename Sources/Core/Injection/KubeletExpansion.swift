// SPDX-License-Identifier: Apache-2.0

/// What the kubelet makes of `$` in commands, arguments and environment entries (Kubernetes API
/// reference, `command` of a Container and `value` of an EnvVar). It goes by
/// bytes: a `$` counts also where a combining character follows it.
package enum KubeletExpansion {
    private static let mark = UInt8(ascii: "$")

    /// Text that the expansion gives back as it is.
    package static func doubled(_ text: String) -> String {
        guard text.utf8.contains(mark) else { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 1)
        for byte in text.utf8 {
            if byte == mark { bytes.append(mark) }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Names in `$(NAME)` that the kubelet would look up, in their order.
    package static func references(in text: String) -> [String] {
        guard text.utf8.contains(mark) else { return [] }
        return references(in: Array(text.utf8))
    }

    /// The same of UTF-8. Each byte is looked at a fixed number of times.
    package static func references<Bytes: RandomAccessCollection>(
        in bytes: Bytes
    ) -> [String] where Bytes.Element == UInt8, Bytes.Index == Int {
        // Behind the last end no search for one can succeed, and none is begun.
        guard let lastEnd = bytes.lastIndex(of: UInt8(ascii: ")")) else { return [] }
        var names: [String] = []
        var index = bytes.startIndex
        while index < lastEnd {
            guard bytes[index] == mark else {
                index += 1
                continue
            }
            let start = index + 2
            guard bytes[index + 1] == UInt8(ascii: "("), start <= lastEnd,
                let end = bytes[start...].firstIndex(of: UInt8(ascii: ")"))
            else {
                index += 2
                continue
            }
            names.append(String(decoding: bytes[start..<end], as: UTF8.self))
            index = end + 1
        }
        return names
    }
}
