// SPDX-License-Identifier: Apache-2.0
import EvidencePackage
import Foundation

/// The folder that a package is written to.
struct PackageTarget {
    let folder: String

    /// Writes `files` into a folder that has nothing else in it. A package that lies there is
    /// removed first when `replacing`: the files that its manifest names, and no others.
    func write(_ files: [PackageFile], replacing: Bool) throws {
        try Folder.make(folder)
        var present = try FolderTree.entries(in: folder).map(\.path)
        if !present.isEmpty, replacing {
            let old = try packaged()
            for path in present where old.contains(path) {
                do { try FileManager.default.removeItem(atPath: "\(folder)/\(path)") } catch {
                    throw OperationalError(
                        description: "\(folder)/\(path): cannot be removed "
                            + "(\((error as NSError).localizedDescription))")
                }
            }
            present.removeAll { old.contains($0) }
        }
        if let first = present.first {
            throw OperationalError(
                description: "\(folder): not empty (\(Plain.line(first))); name another folder"
                    + (replacing ? ", or remove what belongs to no package" : ", or add --force"))
        }
        for file in files { try FolderTree.write(file, below: folder) }
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
