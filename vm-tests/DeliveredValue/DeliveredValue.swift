// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A value as the wrapper delivered it to this process, found in place and never copied.
package enum DeliveredValue {
    private static let descriptorPrefix = "/proc/self/fd/"

    /// The bytes of the variable `name`: its text in the environment; or, where the text is
    /// `/proc/self/fd/N` (delivery mode `file`), the pages of descriptor N, mapped shared. The
    /// mapping stays as long as the process does.
    ///
    /// - Returns: nil without such a variable, or where N is not open, empty or not to be mapped;
    ///   a path that is no descriptor's is a text like any other.
    package static func find(_ name: String) -> UnsafeRawBufferPointer? {
        guard let text = getenv(name) else { return nil }
        guard let number = number(text) else {
            return UnsafeRawBufferPointer(start: text, count: strlen(text))
        }
        return map(number)
    }

    /// N where the variable `name` is `/proc/self/fd/N`.
    package static func descriptor(of name: String) -> Int32? {
        guard let text = getenv(name) else { return nil }
        return number(text)
    }

    private static func number(_ text: UnsafePointer<CChar>) -> Int32? {
        let prefix = descriptorPrefix
        guard strncmp(text, prefix, prefix.utf8.count) == 0 else { return nil }
        return Int32(String(cString: text + prefix.utf8.count))
    }

    private static func map(_ descriptor: Int32) -> UnsafeRawBufferPointer? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size > 0,
            let base = mmap(nil, Int(status.st_size), PROT_READ, MAP_SHARED, descriptor, 0),
            base != MAP_FAILED
        else { return nil }
        return UnsafeRawBufferPointer(start: base, count: Int(status.st_size))
    }
}
