// SPDX-License-Identifier: Apache-2.0
import Foundation
import S3ProxyConfiguration

/// The command line, the environment and the file that one of them names.
enum SettingsSource {
    static func read(_ words: [String]) throws(S3ProxySettingsFailure) -> S3ProxySettings {
        let variables = ProcessInfo.processInfo.environment.map { (name: $0.key, value: $0.value) }
        var sources = try S3ProxySources(
            words: words, variables: variables.sorted { $0.name < $1.name })
        if let path = sources.configurationFile {
            try sources.read(try bytes(of: path), of: path)
        }
        return try S3ProxySettings(sources)
    }

    private static func bytes(of path: String) throws(S3ProxySettingsFailure) -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path),
            // One more than allowed: a longer file is refused by its reader.
            let data = try? file.read(upToCount: S3ProxySources.fileBytesMax + 1)
        else {
            throw S3ProxySettingsFailure("--config: \(path) cannot be read; name a file")
        }
        return Array(data)
    }
}
