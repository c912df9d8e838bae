// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One mapping of this process, as /proc/self/smaps shows it (proc_pid_smaps(5)).
package struct ProcessMapping: Sendable, Equatable {
    package let start: UInt
    /// First address after the mapping.
    package let end: UInt
    /// Four letters, such as `rw-p`.
    package let permissions: String
    /// The last column: a path, a name in brackets, or empty.
    package let name: String
    /// Two-letter flags of the line `VmFlags`; empty where the kernel does not show them.
    package var flags: [String] = []

    package var byteCount: Int { Int(end - start) }
    package var isReadable: Bool { permissions.hasPrefix("r") }

    /// What kind of secret memory this is, nil for any other memory: memfd_secret has a name of
    /// its own; the fallback tiers are shared anonymous memory kept out of core dumps (`dd`),
    /// locked (`lo`) or not.
    package var secretTierName: String? {
        if name == "/secretmem (deleted)" { return "memfd_secret" }
        guard name == "/dev/zero (deleted)", flags.contains("dd") else { return nil }
        return flags.contains("lo") ? "locked" : "ordinary"
    }

    /// All mappings of this process, by address.
    package static func current() throws(MemoryScanFailure) -> [ProcessMapping] {
        var mappings: [ProcessMapping] = []
        for line in try lines(of: "/proc/self/smaps") {
            if line.hasPrefix("VmFlags:") {
                guard !mappings.isEmpty else { continue }
                mappings[mappings.count - 1].flags =
                    line.split(separator: " ").dropFirst().map(String.init)
            } else if let mapping = ProcessMapping(line: line) {
                mappings.append(mapping)
            }
        }
        return mappings
    }

    /// The mapping that holds the address.
    package static func containing(_ address: UInt) throws(MemoryScanFailure) -> ProcessMapping? {
        try current().first { $0.start <= address && address < $0.end }
    }

    /// - Parameter line: `start-end perms offset device inode   name`.
    init?(line: Substring) {
        let columns = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard columns.count >= 5 else { return nil }
        let bounds = columns[0].split(separator: "-")
        guard bounds.count == 2, let start = UInt(bounds[0], radix: 16),
            let end = UInt(bounds[1], radix: 16)
        else { return nil }
        self.start = start
        self.end = end
        permissions = String(columns[1])
        name = columns.count == 6 ? String(columns[5].drop { $0 == " " }) : ""
    }

    private static func lines(of path: String) throws(MemoryScanFailure) -> [Substring] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .systemCall("open \(path)", errorNumber: errno) }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = read(descriptor, &chunk, chunk.count)
            guard got >= 0 else { throw .systemCall("read \(path)", errorNumber: errno) }
            if got == 0 { break }
            text.append(contentsOf: chunk[..<got])
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n")
    }
}

/// Why a test tool could not do its work.
package enum MemoryScanFailure: Error, Equatable {
    case systemCall(String, errorNumber: Int32)
    /// A limit of the tool (bytes).
    case tooLarge(limitBytes: Int)
}
