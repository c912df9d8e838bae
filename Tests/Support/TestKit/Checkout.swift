// SPDX-License-Identifier: Apache-2.0
internal import Foundation
import Glibc

/// What was built, and where it runs.
package struct Checkout: Sendable {
    /// Hexadecimal, or `unknown` outside a git checkout.
    package let commit: String
    /// Whether files differ from the commit. True when that cannot be known.
    package let dirty: Bool

    /// Asked of git once.
    package static let current: Checkout = {
        let commit = git("rev-parse", "HEAD")?.split(separator: "\n").first.map(String.init)
        let changes = git("status", "--porcelain")
        return Checkout(commit: commit ?? "unknown", dirty: changes.map { !$0.isEmpty } ?? true)
    }()

    /// The running kernel's release (uname(2)).
    package static let kernelRelease: String = {
        var name = utsname()
        guard uname(&name) == 0 else { return "unknown" }
        return withUnsafeBytes(of: &name.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }()

    /// This file is Tests/Support/TestKit/Checkout.swift.
    package static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .path(percentEncoded: false)

    private static func git(_ arguments: String...) -> String? {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["git", "-C", root] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
    }
}
