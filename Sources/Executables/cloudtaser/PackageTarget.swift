// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import Foundation
import Glibc

/// The folder that a package is written to.
struct PackageTarget {
    let folder: String

    /// Files are written here first: a run that ends early leaves what was there before. No file
    /// of a package begins with a dot.
    static let stagingName = ".cloudtaser-partial"

    /// Writes `files` into a folder that has nothing else in it. A package that lies there goes
    /// when `replacing`, once the new one is whole: the files that its manifest names, and no
    /// others.
    func write(_ files: [PackageFile], replacing: Bool) throws {
        try Folder.make(folder)
        let old = try occupants(replacing)
        let staging = "\(folder)/\(Self.stagingName)"
        if replacing { try remove(Self.stagingName) }
        do {
            for file in files { try FolderTree.write(file, below: staging) }
        } catch {
            try? FileManager.default.removeItem(atPath: staging)
            throw error
        }
        for name in Self.tops(old) { try remove(name) }
        // What is signed comes last: until then nothing verifies.
        for name in Self.tops(files.map(\.path)) {
            guard rename("\(staging)/\(name)", "\(folder)/\(name)") == 0 else {
                throw OperationalError(
                    description: "\(folder)/\(name): cannot be written (error \(errno)); the new "
                        + "files are in \(staging)")
            }
        }
        try remove(Self.stagingName)
    }

    /// What is directly in the folder, each once, in the order of `paths`.
    private static func tops(_ paths: [String]) -> [String] {
        var seen: Set<String> = []
        return paths.map { String($0.prefix { $0 != "/" }) }.filter { seen.insert($0).inserted }
    }

    private func remove(_ name: String) throws {
        let path = "\(folder)/\(name)"
        guard FileManager.default.fileExists(atPath: path) else { return }
        do { try FileManager.default.removeItem(atPath: path) } catch {
            throw OperationalError(
                description: "\(path): cannot be removed "
                    + "(\((error as NSError).localizedDescription))")
        }
    }

    /// Paths of the package that may go; throws when anything else is there.
    private func occupants(_ replacing: Bool) throws -> [String] {
        let present = try FolderTree.entries(in: folder).map(\.path)
        guard !present.isEmpty else { return [] }
        let old = replacing ? try packaged() : []
        let others = present.filter {
            !old.contains($0) && !(replacing && $0.hasPrefix("\(Self.stagingName)/"))
        }
        if let first = others.first {
            throw OperationalError(
                description: "\(folder): not empty (\(Plain.line(first))); name another folder"
                    + (replacing ? ", or remove what belongs to no package" : ", or add --force"))
        }
        return present.filter(old.contains)
    }

    /// Files of the package that lies here.
    private func packaged() throws -> Set<String> {
        let path = "\(folder)/\(PackageManifest.fileName)"
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        do {
            let manifest = try PackageManifest(json: try FolderTree.bytes(at: path))
            return Set(manifest.files.map(\.path)).union(PackageManifest.ownNames)
        } catch let error as PackageFailure {
            throw OperationalError(description: "\(folder)/\(error)")
        }
    }
}
