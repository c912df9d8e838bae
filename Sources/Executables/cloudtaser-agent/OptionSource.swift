// SPDX-License-Identifier: Apache-2.0
import Agent
import AgentPorts
import Enforcement
import Glibc
import Ports

/// The command line and the file that it names, read anew at each SIGHUP. What the command line
/// says counts more.
struct OptionSource: PolicySource {
    /// The flags of the command line.
    let words: [String]

    func options() throws(ArgumentFailure) -> AgentOptions {
        let own = try AgentOptions(words)
        guard let path = own.configuration else { return try checked(own) }
        do throws(ArgumentFailure) {
            let flags = try AgentConfigurationFile.words(try Self.bytes(of: path))
            return try checked(try AgentOptions(flags + words))
        } catch { throw ArgumentFailure(text: "\(path): \(error.text)") }
    }

    func read() throws(PolicySourceFailure) -> PolicySettings {
        do throws(ArgumentFailure) { return try options().settings.policy } catch {
            throw PolicySourceFailure(text: error.text)
        }
    }

    private func checked(_ options: AgentOptions) throws(ArgumentFailure) -> AgentOptions {
        if let problem = options.sinks.lazy.compactMap(RunningSink.problem).first {
            throw ArgumentFailure(text: problem)
        }
        return options
    }

    private static func bytes(of path: String) throws(ArgumentFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw ArgumentFailure(text: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        // One more than allowed: a longer file is refused by its reader.
        var bytes = [UInt8](repeating: 0, count: AgentConfigurationFile.bytesMax + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress.map { $0 + count }, $0.count - count)
            }
            guard got >= 0 else { throw ArgumentFailure(text: String(cString: strerror(errno))) }
            guard got > 0 else { break }
            count += got
        }
        return Array(bytes.prefix(count))
    }
}
