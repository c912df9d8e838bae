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

    /// Has `body` write a file, which is there as a whole or not at all.
    static func write(to path: String, _ body: (FileHandle) throws -> Void) throws {
        let url = URL(filePath: path)
        let draft = url.appendingPathExtension("\(getpid()).new")
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data().write(to: draft)
            // Whoever kept the last one to himself keeps this one, too.
            if let mode = try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
            {
                try FileManager.default.setAttributes(
                    [.posixPermissions: mode], ofItemAtPath: draft.path(percentEncoded: false))
            }
            let file = try FileHandle(forWritingTo: draft)
            try body(file)
            try file.close()
            guard rename(draft.path(percentEncoded: false), url.path(percentEncoded: false)) == 0
            else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            try? FileManager.default.removeItem(at: draft)
            throw OperationalError(
                description: "\(path): cannot be written (\(reason(error)))")
        }
    }

    private static func reason(_ error: any Error) -> String {
        (error as NSError).localizedDescription
    }
}
