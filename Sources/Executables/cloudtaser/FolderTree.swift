// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import Foundation

/// A folder with everything below it.
enum FolderTree {
    /// Larger files are no evidence, and would not fit into memory.
    static let fileBytesMax = 256 << 20

    /// Paths below `folder`, sorted; whether each is a regular file. Links are not followed.
    static func entries(in folder: String) throws -> [(path: String, isFile: Bool)] {
        var found: [(path: String, isFile: Bool)] = []
        var open = [""]
        while let place = open.popLast() {
            for name in try Folder.names(in: folder + place) {
                let path = "\(place)/\(name)"
                let attributes = try? FileManager.default.attributesOfItem(atPath: folder + path)
                let type = attributes?[.type] as? FileAttributeType
                if type == .typeDirectory {
                    open.append(path)
                } else {
                    found.append((String(path.dropFirst()), type == .typeRegular))
                }
                guard found.count <= PackageManifest.filesMax else {
                    throw OperationalError(
                        description: "\(folder): more than \(PackageManifest.filesMax) files")
                }
            }
        }
        return found.sorted { $0.path < $1.path }
    }

    /// Regular files only: what a link shows may be another tomorrow.
    static func files(in folder: String) throws -> [String] {
        try entries(in: folder).map { entry in
            guard entry.isFile else {
                throw OperationalError(
                    description: "\(folder)/\(Plain.line(entry.path)): not a regular file; "
                        + "copy what it leads to")
            }
            return entry.path
        }
    }

    /// Whether it is a regular file itself; a link to one is none.
    static func isFile(_ path: String) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return attributes?[.type] as? FileAttributeType == .typeRegular
    }

    /// Size of a file; nil: it cannot be told.
    static func size(of path: String) -> Int? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int
    }

    /// Bytes of a file that is not too large.
    static func bytes(at path: String) throws -> [UInt8] {
        if let size = size(of: path), size > fileBytesMax {
            throw OperationalError(
                description: "\(path): has \(size) bytes; at most \(fileBytesMax) are read")
        }
        return Array(try Folder.data(at: path))
    }

    static func write(_ file: PackageFile, below folder: String) throws {
        let url = URL(filePath: folder).appending(path: file.path)
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(file.bytes).write(to: url, options: .withoutOverwriting)
        } catch {
            throw OperationalError(
                description: "\(folder)/\(file.path): cannot be written "
                    + "(\((error as NSError).localizedDescription))")
        }
    }
}
