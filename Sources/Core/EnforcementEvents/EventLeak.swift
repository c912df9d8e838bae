// SPDX-License-Identifier: Apache-2.0

/// `SECRET_LEAK`: what the content scan saw. No byte of a value is in it.
package struct EventLeak: Sendable, Equatable {
    package enum Reason: String, Sendable, CaseIterable {
        /// The bytes of a value.
        case value
        /// Bytes that cannot be read where they are.
        case unreadable
        /// More than a scan looks through.
        case tooLarge = "too large"
        /// The call does not say what goes out.
        case opaque
    }

    /// How the value was written (`Sources/Core/LeakIndex`, LeakForm).
    package enum Form: String, Sendable, CaseIterable {
        case plain, base64, base64url, hex
        case upperHex = "upper-case hex"
        case percent
        case json
    }

    package let reason: Reason
    /// Position of the value in its delivery, from 0; nil unless a value was seen.
    package let value: UInt16?
    package let form: Form?
    /// Of the destination; nil for files and for sockets without one.
    package let port: UInt16?

    /// - Parameter detail: `enum cbpf_scan_reason` in bits 24 to 31, form in 16 to 23, position in
    ///   0 to 15, port in 32 to 47; nil for what no scan says.
    package init?(detail: UInt64) {
        let reason = UInt8(truncatingIfNeeded: detail >> 24)
        guard (1...Reason.allCases.count).contains(Int(reason)) else { return nil }
        self.reason = Reason.allCases[Int(reason) - 1]
        let form = Int(UInt8(truncatingIfNeeded: detail >> 16))
        let isFound = self.reason == .value
        value = isFound ? UInt16(truncatingIfNeeded: detail) : nil
        self.form = isFound && form < Form.allCases.count ? Form.allCases[form] : nil
        let port = UInt16(truncatingIfNeeded: detail >> 32)
        self.port = port == 0 ? nil : port
    }
}
