// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit
import Testing

/// `vm-tests/cost_report.py`: which costs of calls it takes, and what it says of the others.
@Suite("Comparison of the agent's costs with their limits")
struct CostReportTests {
    private struct Row {
        var kernel = "6.12"
        var form = "lsm"
        var call = "openat"
        var off = 10_000
        var added = 200
        var limit = 250
        var scanning: Int?
        var floor: Int?
    }

    private static let pageRead = Row(call: "read-4096", added: 0)
    private static let columns = "kernel,form,call,off,added,ratio,protected,scanning,floor,limit"

    /// A folder with a baseline and measured rows, and the program that compares them.
    private func run(
        _ command: String, baseline: [Row], measured: [Row], columns: String = Self.columns,
        also check: (URL) throws -> Void = { _ in }
    ) throws -> ProgramRun {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "cloudtaser-costs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let lines = baseline.map {
            "\($0.kernel),\($0.form),\($0.call),\($0.off),\($0.added),1.0,\($0.added),,,\($0.limit)"
        }
        let limits = folder.appending(path: "limits.csv")
        try Data(([columns] + lines).map { $0 + "\n" }.joined().utf8).write(to: limits)
        let rows = measured.map {
            [
                "kernel": $0.kernel, "form": $0.form, "call": $0.call, "off": $0.off,
                "added": $0.added, "protected": $0.added,
                "scanning": $0.scanning.map { $0 as Any } ?? NSNull(),
                "floor": $0.floor.map { $0 as Any } ?? NSNull(),
            ] as [String: Any]
        }
        let file = folder.appending(path: "rows.json")
        try JSONSerialization.data(withJSONObject: rows).write(to: file)
        let page = folder.appending(path: "costs.md")
        let path = { (url: URL) in url.path(percentEncoded: false) }
        let words =
            switch command {
            case "page": [command, "--page", path(page), "--baseline", path(limits)]
            default: [command, path(file), "--baseline", path(limits)]
            }
        let run = try ProgramRun(
            path: "/usr/bin/env", ["python3", Checkout.root + "vm-tests/cost_report.py"] + words,
            environment: [
                "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
                "PYTHONDONTWRITEBYTECODE": "1",
            ])
        try check(folder)
        return run
    }

    private func compare(baseline: [Row], measured: [Row]) throws -> ProgramRun {
        try run("compare", baseline: baseline, measured: measured)
    }

    @Test("a row at its limit passes, one above it fails and says how to measure anew")
    func limit() throws {
        let baseline = [Self.pageRead, Row()]
        let well = try compare(baseline: baseline, measured: [Self.pageRead, Row(added: 250)])
        #expect(well.status == 0, "\(well.output) \(well.errors)")
        let above = try compare(baseline: baseline, measured: [Self.pageRead, Row(added: 251)])
        #expect(above.status == 1)
        #expect(
            above.output.contains(
                "6.12 lsm openat: 251 instructions added, at most 250 allowed (200 when measured)"))
        #expect(above.output.contains("python3 vm-tests/run.py --write-cost-baseline"))
    }

    @Test("a doctored limit makes what was measured fail")
    func doctored() throws {
        let measured = [Self.pageRead, Row(), Row(form: "fmod_ret"), Row(call: "execve")]
        let pages = [Self.pageRead, Row(form: "fmod_ret", call: "read-4096", added: 0)]
        let all = measured + pages.dropFirst()
        #expect(try compare(baseline: all, measured: all).status == 0, "control")
        for index in all.indices where all[index].call != "read-4096" {
            var limits = all
            limits[index].limit = all[index].added - 1
            let run = try compare(baseline: limits, measured: all)
            #expect(run.status == 1 && run.output.contains("1 complaints"), "\(run.output)")
        }
    }

    @Test("a row that only one side has fails")
    func missing() throws {
        let both = [Self.pageRead, Row()]
        let unknown = try compare(baseline: [Self.pageRead], measured: both)
        #expect(unknown.status == 1)
        #expect(unknown.output.contains("openat: measured, and not in the baseline"))
        let lost = try compare(baseline: both, measured: [Self.pageRead])
        #expect(lost.status == 1)
        #expect(lost.output.contains("openat: in the baseline, and not measured"))
        let kernel = try compare(
            baseline: both + [Row(kernel: "5.10")], measured: both)
        #expect(kernel.status == 1, "a kernel that did not boot")
        let page = try compare(baseline: [Row()], measured: [Row()])
        #expect(page.status == 1 && page.output.contains("6.12 lsm read-4096: not measured"))
        let nothing = try compare(baseline: [], measured: [])
        #expect(nothing.status == 1, "nothing measured is no success")
    }

    @Test("the read of a cached page stays within 3 %, whatever limit it has")
    func pageRead() throws {
        var row = Row(call: "read-4096", added: 300, limit: 9_000)
        let edge = try compare(baseline: [row], measured: [row])
        #expect(edge.status == 0, "\(edge.output)")
        row.added = 301
        let above = try compare(baseline: [row], measured: [row])
        #expect(above.status == 1)
        #expect(above.output.contains("6.12 lsm read-4096: 1.0301 times as many instructions"))
    }

    @Test("while somebody is scanned, the scan's own part of that read stays within 3 %")
    func scannedPageRead() throws {
        var row = Row(call: "read-4096", added: 0, scanning: 1_330, floor: 1_000)
        let edge = try compare(baseline: [row], measured: [row])
        #expect(edge.status == 0, "\(edge.output)")
        row.scanning = 1_331
        let above = try compare(baseline: [row], measured: [row])
        #expect(above.status == 1)
        #expect(above.output.contains("6.12 lsm read-4096: 1.0301 times as many instructions as"))
        row.floor = nil
        #expect(try compare(baseline: [row], measured: [row]).status == 0, "nothing to compare")
    }

    @Test("written limits are the measured figures plus the margin; rows of other boots stay")
    func write() throws {
        let small = Row(call: "read-1", off: 600, added: 0)
        let old = Row(kernel: "5.10", limit: 777)
        let gone = Row(call: "no-more")
        let measured = [Row(kernel: "6.12", added: 400), small, Self.pageRead]
        let run = try run("write", baseline: [old, gone], measured: measured) { folder in
            let text = try String(contentsOf: folder.appending(path: "limits.csv"), encoding: .utf8)
            #expect(
                text == """
                    \(Self.columns)
                    5.10,lsm,openat,10000,200,1.0200,200,,,777
                    6.12,lsm,openat,10000,400,1.0400,400,,,520
                    6.12,lsm,read-1,600,0,1.0000,0,,,26
                    6.12,lsm,read-4096,10000,0,1.0000,0,,,120

                    """)
        }
        #expect(run.status == 0, "\(run.errors)")
    }

    @Test("a file that is no baseline is an error that names the fix")
    func damaged() throws {
        for columns in ["kernel,form", ""] {
            let run = try run("compare", baseline: [Row()], measured: [Row()], columns: columns)
            #expect(run.status == 1)
            #expect(
                run.errors.contains("limits.csv") && run.errors.contains("--write-cost-baseline"))
        }
        let letters = try run(
            "compare", baseline: [Row(call: "a,b")], measured: [Row()])
        #expect(letters.status == 1 && letters.errors.contains("--write-cost-baseline"))
    }

    @Test("the page shows each row of the baseline")
    func page() throws {
        let rows = [Row(), Row(kernel: "7.2", form: "fmod_ret", call: "execve", added: 123)]
        let run = try run("page", baseline: rows, measured: []) { folder in
            let text = try String(contentsOf: folder.appending(path: "costs.md"), encoding: .utf8)
            #expect(text.contains("| openat | 10000 +200 (1.0200) |"))
            #expect(text.contains("| execve | 10000 +123 (1.0123) |"))
            #expect(text.contains("| execve | +123 |"))
        }
        #expect(run.status == 0, "\(run.errors)")
    }
}
