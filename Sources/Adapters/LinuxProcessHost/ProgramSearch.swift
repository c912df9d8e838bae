// SPDX-License-Identifier: Apache-2.0
internal import Delivery
import Glibc
package import Ports

/// Finds the program as a container runtime does: a name with a slash is used as it is, any
/// other is looked for in each directory of PATH in order.
///
/// Unlike execvp(3), a file without a known format is not handed to a shell.
package enum ProgramSearch {
    /// Used when the environment has no PATH (execvp(3), confstr(_CS_PATH)).
    package static let defaultPath = "/bin:/usr/bin"

    /// What a look at one candidate tells.
    package enum Candidate: Equatable {
        case executable
        /// It is there and may not be run: a directory, or no execute permission. errno.
        case refused(Int32)
        case absent
    }

    /// - Parameters:
    ///   - path: value of PATH, nil when there is none.
    ///   - look: asks the file system about one path.
    /// - Throws: `notFound`, or `notExecutable` when only unusable candidates were seen.
    package static func resolve(
        _ program: String, path: String?, look: (String) -> Candidate
    ) throws(ProcessHostFailure) -> String {
        guard !program.isEmpty else { throw .notFound(program: program) }
        var refusal: Int32?
        for candidate in candidates(program, path: path ?? defaultPath) {
            switch look(candidate) {
            case .executable: return candidate
            case .refused(let number): refusal = refusal ?? number
            case .absent: continue
            }
        }
        if let refusal { throw .notExecutable(program: program, errorNumber: refusal) }
        throw .notFound(program: program)
    }

    /// Asks the file system, with the PATH of the program's own environment.
    static func resolve(_ launch: Launch) throws(ProcessHostFailure) -> String {
        let path = launch.environment.first { $0.name == "PATH" }?.description.dropFirst(5)
        return try resolve(launch.programName, path: path.map(String.init)) { candidate in
            var status = stat()
            guard stat(candidate, &status) == 0 else {
                return errno == ENOENT || errno == ENOTDIR ? .absent : .refused(errno)
            }
            guard status.st_mode & S_IFMT != S_IFDIR else { return .refused(EACCES) }
            return access(candidate, X_OK) == 0 ? .executable : .refused(errno)
        }
    }

    private static func candidates(_ program: String, path: String) -> [String] {
        guard !program.utf8.contains(UInt8(ascii: "/")) else { return [program] }
        return path.split(separator: ":", omittingEmptySubsequences: false).map { directory in
            // POSIX: an empty element is the current directory.
            directory.isEmpty ? "./\(program)" : "\(directory)/\(program)"
        }
    }
}
