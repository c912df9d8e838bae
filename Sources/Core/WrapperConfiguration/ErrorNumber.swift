// SPDX-License-Identifier: Apache-2.0

/// An error number of Linux, for messages: `errno 2, no such file or directory`.
package enum ErrorNumber {
    package static func text(_ number: Int32) -> String {
        guard let meaning = meanings[number] else { return "errno \(number)" }
        return "errno \(number), \(meaning)"
    }

    /// Those that a user of the wrapper meets (errno(3), the numbers of x86-64 and arm64).
    private static let meanings: [Int32: String] = [
        1: "operation not permitted", 2: "no such file or directory", 3: "no such process",
        5: "input/output error", 7: "argument list too long", 8: "exec format error",
        11: "resource temporarily unavailable", 12: "cannot allocate memory",
        13: "permission denied", 16: "device or resource busy", 20: "not a directory",
        21: "is a directory", 22: "invalid argument", 24: "too many open files",
        26: "text file busy", 28: "no space left on device", 30: "read-only file system",
        38: "function not implemented", 40: "too many symbolic links",
        98: "address already in use", 99: "cannot assign the address",
        101: "network is unreachable", 104: "connection reset by peer",
        110: "connection timed out", 111: "connection refused", 113: "no route to host",
        117: "structure needs cleaning", 122: "disk quota exceeded",
    ]
}
