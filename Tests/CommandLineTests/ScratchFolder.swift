// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit

/// A folder of a test's own, removed with it.
final class ScratchFolder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path(percentEncoded: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let place = "\(path)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: place))
        return place
    }

    func text(_ name: String) -> String? {
        try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
    }

    /// A program of that name that notes its words and its standard input in NAME.args, NAME.in.
    func fake(_ name: String, says output: String = "", complains: String = "", status: Int = 0)
        throws
    {
        try program(
            name,
            """
            printf '%s\\n' "$@" > '\(path)/\(name).args'
            /bin/cat > '\(path)/\(name).in'
            printf '%s' '\(output)'
            printf '%s' '\(complains)' >&2
            exit \(status)
            """)
    }

    /// A program for the shell, with its place.
    @discardableResult
    func program(_ name: String, _ script: String) throws -> String {
        let place = try write(name, "#!/bin/sh\n\(script)\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place)
        return place
    }

    /// Of a fake program that ran; nil: it did not.
    func words(_ name: String) -> [String]? {
        text("\(name).args")?.split(separator: "\n").map(String.init)
    }
}
