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

    /// Has `body` write a file, which is there as a whole or not at all; what is no file (a pipe,
    /// a terminal) is written to as it is.
    static func write(to path: String, _ body: (FileHandle) throws -> Void) throws {
        var facts = stat()
        let isThere = stat(path, &facts) == 0
        do {
            guard !isThere || facts.st_mode & S_IFMT == S_IFREG else {
                return try body(FileHandle(forWritingTo: URL(filePath: path)))
            }
            try replace(path, mode: isThere ? facts.st_mode & 0o7777 : nil, body)
        } catch {
            throw OperationalError(
                description: "\(path): cannot be written (\(reason(error)))")
        }
    }

    /// - Parameter mode: of the file that is there: who kept that to himself keeps this one, too.
    private static func replace(
        _ path: String, mode: mode_t?, _ body: (FileHandle) throws -> Void
    ) throws {
        let url = URL(filePath: path).resolvingSymlinksInPath()
        let place = url.path(percentEncoded: false)
        let draft = "\(place).\(getpid()).new"
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: draft))
        do {
            if let mode {
                try FileManager.default.setAttributes(
                    [.posixPermissions: Int(mode)], ofItemAtPath: draft)
            }
            let file = try FileHandle(forWritingTo: URL(filePath: draft))
            try body(file)
            try file.close()
            guard rename(draft, place) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            try? FileManager.default.removeItem(atPath: draft)
            throw error
        }
    }

    private static func reason(_ error: any Error) -> String {
        (error as NSError).localizedDescription
    }
}
