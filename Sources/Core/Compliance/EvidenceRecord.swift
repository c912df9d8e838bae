// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// What one test observed on one kernel: one JSON file of `build/evidence`.
///
/// Shape (all keys but `started` required, no others read):
/// ```json
/// {"id": "VM-MEM-01", "result": "pass", "kernel": "6.12.107",
///  "positiveControl": {"description": "the same read of locked memory", "result": "pass"},
///  "observation": "process_vm_readv answered EFAULT", "commit": "1f2e…", "dirty": false,
///  "started": "2026-11-27T21:40:00Z"}
/// ```
/// A `LIM-` test passes when the leak it describes was seen.
package struct EvidenceRecord: Codable, Sendable, Equatable {
    package enum Result: String, Codable, Sendable { case pass, fail }

    /// The same attack or scan where it must succeed; without it a pass says nothing.
    package struct PositiveControl: Codable, Sendable, Equatable {
        package let description: String
        package let result: Result

        package init(description: String, result: Result) {
            self.description = description
            self.result = result
        }
    }

    /// The test's id in the catalogue.
    package let id: String
    package let result: Result
    /// Release of the kernel it ran on, as uname(2) gives it.
    package let kernel: String
    package let positiveControl: PositiveControl
    /// What was seen, in a sentence without any secret.
    package let observation: String
    /// The commit that was built (hexadecimal), and whether the tree had other changes.
    package let commit: String
    package let dirty: Bool
    /// When the test began, RFC 3339; nil in a record of before this was written.
    package let started: String?

    package init(
        id: String, result: Result, kernel: String, positiveControl: PositiveControl,
        observation: String, commit: String, dirty: Bool, started: String? = nil
    ) {
        self.id = id
        self.result = result
        self.kernel = kernel
        self.positiveControl = positiveControl
        self.observation = observation
        self.commit = commit
        self.dirty = dirty
        self.started = started
    }

    /// Name of the file that holds this record; unique for an id and a kernel.
    package var fileName: String { "\(id)@\(kernel).json" }

    /// - Throws: `CatalogueFailure.unreadable` with the file's name and what is wrong in it.
    package init(json: Data, file: String) throws(CatalogueFailure) {
        self = try CatalogueReader.decode(EvidenceRecord.self, from: json, file: file)
    }

    /// Keys in a fixed order, a newline at the end: the same record gives the same bytes.
    package func json() throws(CatalogueFailure) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(self) + Data("\n".utf8)
        } catch {
            throw .unreadable(file: fileName, detail: "\(error)")
        }
    }
}
