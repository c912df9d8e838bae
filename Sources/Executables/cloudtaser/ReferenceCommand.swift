// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

struct Reference: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make reference pages from the sources' own tables.",
        subcommands: [])
}
