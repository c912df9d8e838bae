// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// `--out` of reports that are written in pieces.
@Suite("A report in a file") struct ReportFileTests {
    private func audit(_ folder: ScratchFolder, to place: String) throws -> ProgramRun {
        let pod = try folder.write(
            "pod.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: []}}")
        return try ProgramRun(
            "cloudtaser", ["audit", "-o", "json", "--out", place, pod], environment: [:])
    }

    private func names(_ folder: ScratchFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test func `is there as a whole, keeps its mode, and is where a link leads`() throws {
        let folder = try ScratchFolder()
        let place = try folder.write("audit.json", "old")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: place)
        let link = "\(folder.path)/link.json"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: place)
        #expect(try audit(folder, to: link).status == 0)
        let text = try #require(folder.text("audit.json"))
        #expect(text.hasPrefix("{\"apiVersion\"") && text.hasSuffix("}\n"))
        let mode = try FileManager.default.attributesOfItem(atPath: place)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        #expect(try names(folder) == ["audit.json", "link.json", "pod.yaml"])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == place)
    }

    @Test func `is made with its folder`() throws {
        let folder = try ScratchFolder()
        #expect(try audit(folder, to: "\(folder.path)/new/audit.json").status == 0)
        #expect(folder.text("new/audit.json")?.hasSuffix("}\n") == true)
    }

    @Test func `goes to what is no file as it is`() throws {
        let folder = try ScratchFolder()
        // Standard output by its name is a pipe here.
        let run = try audit(folder, to: "/dev/stdout")
        #expect(run.status == 0 && run.output.hasPrefix("{\"apiVersion\""), "\(run)")
        #expect(try names(folder) == ["pod.yaml"])
    }

    @Test func `that cannot be written is told, and leaves nothing`() throws {
        let folder = try ScratchFolder()
        try folder.write("file", "")
        let run = try audit(folder, to: "\(folder.path)/file/audit.json")
        #expect(run.status == 1 && run.errors.contains("cannot be written"), "\(run)")
        #expect(try names(folder) == ["file", "pod.yaml"])
    }
}
