// SPDX-License-Identifier: Apache-2.0
package import AgentPorts
import CBPFPrograms
import Glibc

/// Where programs and maps stay when the agent ends: one folder for each build of the programs,
/// below one folder in a BPF file system (bpf(2), BPF_OBJ_PIN).
package struct PinFolder: Sendable, Equatable {
    /// A mounted BPF file system.
    package let fileSystem: String

    package static let usualFileSystem = "/sys/fs/bpf"
    private static let name = "cloudtaser"

    package init(fileSystem: String = usualFileSystem) { self.fileSystem = fileSystem }

    package var exists: Bool { cbpf_is_file_system(fileSystem) }

    var parent: String { "\(fileSystem)/\(Self.name)" }

    /// Of the programs that this binary holds.
    var own: String { "\(parent)/\(String(cbpf_agent_fingerprint(), radix: 16))" }

    /// Folders of other builds.
    var others: [String] {
        Self.entries(of: parent).map { "\(parent)/\($0)" }.filter { $0 != own }
    }

    /// Whether another build's programs are pinned, whose maps this one's use on.
    package var hasOtherBuild: Bool { !others.isEmpty }

    /// Makes the folder for this build, empty.
    func make() throws(EnforcementFailure) {
        for path in [parent, own] where mkdir(path, 0o700) != 0 && errno != EEXIST {
            throw .systemCall("mkdir of \(path)", errorNumber: errno)
        }
    }

    /// Lets go of what is pinned in a folder. The links go first: nothing is judged by half.
    static func remove(_ folder: String) throws(EnforcementFailure) {
        let names = entries(of: folder).sorted {
            $0.hasPrefix("link_") && !$1.hasPrefix("link_")
        }
        for name in names where unlink("\(folder)/\(name)") != 0 {
            throw .systemCall("unlink of \(folder)/\(name)", errorNumber: errno)
        }
        guard rmdir(folder) == 0 || errno == ENOENT else {
            throw .systemCall("rmdir of \(folder)", errorNumber: errno)
        }
    }

    /// Lets go of everything that any build pinned.
    ///
    /// Returns when the kernel has detached them: it does so when it finds time.
    package func removeAll() throws(EnforcementFailure) {
        for name in Self.entries(of: parent) {
            let folder = "\(parent)/\(name)"
            var pinned = [cbpf_guarded_key](
                repeating: cbpf_guarded_key(), count: Self.identitiesMax)
            let count = cbpf_pinned_links(folder, &pinned, pinned.count)
            try Self.remove(folder)
            Self.awaitEnd(
                of: pinned.prefix(Int(max(0, count))).filter {
                    $0.kind == CBPF_GUARDED_PROGRAM.rawValue
                }.map(\.id))
        }
        guard rmdir(parent) == 0 || errno == ENOENT else {
            throw .systemCall("rmdir of \(parent)", errorNumber: errno)
        }
    }

    private static let identitiesMax = 512
    /// In steps of 20 ms.
    private static let waitsMax = 250

    private static func awaitEnd(of programs: [UInt32]) {
        for program in programs {
            for _ in 0..<waitsMax where cbpf_program_exists(program) { usleep(20_000) }
        }
    }

    static func entries(of folder: String) -> [String] {
        guard let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
