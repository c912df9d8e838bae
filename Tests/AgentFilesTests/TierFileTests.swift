// SPDX-License-Identifier: Apache-2.0
import AgentFiles
import AgentPorts
import Enforcement
import EnforcementEvents
import Foundation
import Testing

@Suite struct `The tiers of the last run` {
    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "tiers-\(UUID().uuidString)").path(percentEncoded: false)
    private var path: String { folder + "/tiers" }

    init() throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
    }

    private func tiers() throws -> [VectorNumber: EventTier] {
        [
            try #require(VectorNumber("AV-008")): .lsm,
            try #require(VectorNumber("AV-044")): EventTier.none,
            try #require(VectorNumber("AV-001")): .modifyReturn,
        ]
    }

    @Test func `are kept in a file that others cannot read, and replaced as a whole`() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = TierFile(path: path)
        #expect(try file.read() == [:])
        try file.write(try tiers())
        #expect(try file.read() == tiers())
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasSuffix("v1\nAV-001 fmod_ret\nAV-008 lsm\nAV-044 none\n"))
        try file.write([:])
        #expect(try file.read() == [:])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["tiers"])
    }

    @Test(arguments: [
        ("", "is no file of tiers"), ("x", "is no file of tiers"),
        ("# cloudtaser-agent tiers v1\nAV-8 lsm\n", "a line that is none: AV-8 lsm"),
        ("# cloudtaser-agent tiers v1\nAV-008 best\n", "a line that is none"),
        ("# cloudtaser-agent tiers v1\nAV-008 lsm\nAV-008 none\n", "a line that is none"),
        ("# cloudtaser-agent tiers v1\nAV-008\n", "a line that is none"),
    ])
    func `are refused when they are not as they were written`(text: String, words: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(text.utf8).write(to: URL(filePath: path))
        let failure = #expect(throws: TierMemoryFailure.self) { try TierFile(path: path).read() }
        #expect(failure?.text.contains(words) == true && failure?.text.contains(path) == true)
    }

    @Test func `have a limit, and are not read or written through a link`() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let heading = "# cloudtaser-agent tiers v1\n"
        for (extra, isTaken) in [(0, true), (1, false)] {
            let count = TierFile.bytesMax - heading.utf8.count + extra
            try Data((heading + String(repeating: "\n", count: count)).utf8)
                .write(to: URL(filePath: path))
            #expect((try? TierFile(path: path).read()) == (isTaken ? [:] : nil))
        }
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/etc/passwd")
        #expect(throws: TierMemoryFailure.self) { try TierFile(path: path).read() }
        try TierFile(path: path).write([:])
        #expect(try TierFile(path: path).read() == [:], "the link is replaced, not followed")
        let away = TierFile(path: folder + "/none/tiers")
        let failure = #expect(throws: TierMemoryFailure.self) { try away.write([:]) }
        #expect(failure?.text.contains("No such file") == true)
    }
}
