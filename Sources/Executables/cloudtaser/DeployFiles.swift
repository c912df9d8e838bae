// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The chart and the manifests that come with this program.
enum DeployFiles {
    /// Folders above a starting point that are looked into.
    private static let levelsMax = 6

    /// `deploy/NAME`, or `share/cloudtaser/NAME` of an installation; from the working folder, then
    /// from the program's, upwards.
    static func find(_ name: String, holding file: String) -> String? {
        let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent()
        let here = URL(filePath: FileManager.default.currentDirectoryPath)
        for start in [here, own] {
            var folder = start.standardizedFileURL
            for _ in 0..<levelsMax {
                for place in ["deploy", "share/cloudtaser"] {
                    let found = folder.appending(path: "\(place)/\(name)")
                    let path = found.path(percentEncoded: false)
                    if FileManager.default.fileExists(atPath: "\(path)/\(file)") { return path }
                }
                folder = folder.deletingLastPathComponent()
            }
        }
        return nil
    }

    /// The files that a kustomization names, one document after the other.
    static func joined(_ folder: String) throws -> String {
        let list = String(
            decoding: try Folder.data(at: "\(folder)/kustomization.yaml"), as: UTF8.self)
        let names = list.split(separator: "\n").filter { $0.hasPrefix("  - ") }
            .map { $0.dropFirst(4) }
        guard !names.isEmpty else {
            throw OperationalError(description: "\(folder)/kustomization.yaml names no resources")
        }
        return try names.map { name in
            let text = String(decoding: try Folder.data(at: "\(folder)/\(name)"), as: UTF8.self)
            return "---\n" + text
        }.joined()
    }
}
