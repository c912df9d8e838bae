// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A log and what was rotated away from it.
struct EventLogFiles {
    /// As it was named.
    let path: String
    /// The oldest first.
    let files: [String]

    /// One for each path; a path that another one's rotation stands for is left out.
    static func logs(_ paths: [String]) throws -> [EventLogFiles] {
        let logs = try paths.map { try EventLogFiles(path: $0) }
        return logs.enumerated().filter { index, log in
            !logs.enumerated().contains { other, whole in
                other != index && whole.files.contains(log.path)
                    && (whole.path != log.path || other < index)
            }
        }.map(\.element)
    }

    private init(path: String) throws {
        self.path = path
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = (slash.map { path[path.index(after: $0)...] } ?? path[...]) + "."
        let numbers = try Folder.names(in: folder).compactMap { other in
            other.hasPrefix(name) ? Self.number(other.dropFirst(name.count)) : nil
        }
        let rotated = numbers.sorted(by: >).map { "\(path).\($0)" }
        // Right after a rotation, or when the agent was moved, the newest may not be there.
        let isThere = FileManager.default.fileExists(atPath: path)
        files = isThere || rotated.isEmpty ? rotated + [path] : rotated
    }

    private static func number(_ text: Substring) -> Int? {
        guard let number = Int(text), number > 0, String(number) == text else { return nil }
        return number
    }
}
