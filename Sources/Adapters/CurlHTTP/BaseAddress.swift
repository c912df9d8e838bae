// SPDX-License-Identifier: Apache-2.0

/// `https://host:port` with a path at most, to which paths are added.
enum BaseAddress {
    /// nil: another scheme, or something that could lead elsewhere (a query, a user, a blank).
    static func text(of address: String, schemes: [String]) -> String? {
        let isPlain = address.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && !"?#@\\".utf8.contains($0)
        }
        guard schemes.contains(where: { address.hasPrefix("\($0)://") }), isPlain else {
            return nil
        }
        var base = address[...]
        while base.last == "/" { base = base.dropLast() }
        return String(base)
    }
}
