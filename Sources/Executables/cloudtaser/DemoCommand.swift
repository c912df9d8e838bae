// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Glibc

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Tell the whole story on this machine, from a Secret to the audit after.",
        discussion: """
            Examples:
              cloudtaser demo
              cloudtaser demo --folder ~/src/cloudtaser

            A real API server, vault and store, and attacks as root: what `make demo` runs in
            a checkout of the sources, with whatever it needs to fetch and build before.

            \(Exit.help)
            """)

    @Option(help: "The checkout.")
    var folder = "."

    func run() throws {
        guard FileManager.default.fileExists(atPath: "\(folder)/Package.swift"),
            FileManager.default.fileExists(atPath: "\(folder)/Makefile")
        else {
            throw OperationalError(
                description: "\(folder): no checkout of CloudTaser's sources; "
                    + "name one with --folder")
        }
        let words = ["make", "-C", folder, "demo"]
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        pointers.append(nil)
        execvp("make", pointers)
        throw OperationalError(
            description: "make cannot be started (\(String(cString: strerror(errno))))")
    }
}
