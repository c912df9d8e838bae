// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Reading and writing for the commands; every error names the path and what to do.
enum Folder {
    /// Names of what is directly in `path`.
    static func names(in path: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw OperationalError(
                description: "\(path): the folder cannot be read (\(reason(error))); "
                    + "run from the repository's root or name the folder")
        }
    }

    /// Files directly in `path` whose names end in `suffix`, by name.
    static func contents(of path: String, ending suffix: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try names(in: path) where name.hasSuffix(suffix) {
            files[name] = try data(at: "\(path)/\(name)")
        }
        return files
    }

    static func data(at path: String) throws -> Data {
        do {
            return try Data(contentsOf: URL(filePath: path))
        } catch {
            throw OperationalError(description: "\(path): cannot be read (\(reason(error)))")
        }
    }

    static func make(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                at: URL(filePath: path), withIntermediateDirectories: true)
        } catch {
            throw OperationalError(description: "\(path): cannot be made (\(reason(error)))")
        }
    }

    /// Writes `text`, making the folder when it is not there.
    static func write(_ text: String, to path: String) throws {
        let url = URL(filePath: path)
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url, options: .atomic)
        } catch {
            throw OperationalError(
                description: "\(path): cannot be written (\(reason(error)))")
        }
    }

    private static func reason(_ error: any Error) -> String {
        (error as NSError).localizedDescription
    }
}
