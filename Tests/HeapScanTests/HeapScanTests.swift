// SPDX-License-Identifier: Apache-2.0
import CLinux
import Foundation
import Glibc
import Testing

@Suite("Heap scan of the vault adapter", .serialized)
struct HeapScanTests {
    private static let phases = ["logged in", "holding", "forgotten", "shut down"]

    /// The best tier that this host gives.
    private static let bestTier: String = {
        let descriptor = clinux_memfd_secret(UInt32(O_CLOEXEC))
        guard descriptor >= 0 else { return "locked" }
        close(descriptor)
        return "memfd_secret"
    }()

    @Test(
        "Nothing of the secret, the credential or the token is outside secret memory",
        arguments: try Expectations.load().cases)
    func nothingOutside(expected: Expectations.Case) throws {
        let run = try HarnessRun(
            valueBytes: expected.valueBytes, hasClientCertificate: expected.clientCertificate)
        for method in LoginMethod.allCases {
            let report = try run.report(
                method, lockBytes: expected.lockBytes, minimumTier: expected.minimumTier)
            // Of all outcomes: no hit, and a scan that could have had one.
            for scan in report.scans {
                #expect(scan.hits.isEmpty, "\(method), \(scan.phase): \(scan.hits)")
                #expect(scan.scannedBytes > 1 << 20 && scan.scannedMappings > 10)
                #expect(scan.unreadable.allSatisfy { $0.hasPrefix("[v") }, "\(scan.unreadable)")
            }
            #expect(report.control.planted > 8 && report.control.missed.isEmpty)
            if report.lockableBytes < expected.lockBytes {
                // This user may not lock as much as the case is about.
                try compareBelowLimit(report, expected)
            } else {
                try compare(report, expected, method)
            }
        }
    }

    private func compare(
        _ report: HarnessReport, _ expected: Expectations.Case, _ method: LoginMethod
    ) throws {
        let expectations = try Expectations.load()
        let isFetched = report.outcome == "fetched"
        #expect(
            isFetched == (expected.outcome == "fetched"), "\(method): \(report.outcome)")
        let arena = report.tiers.arena
        #expect(arena.tier == Self.bestTier && arena.weakestTier == Self.bestTier)
        #expect(arena.bytes == expectations.arenaBytes["\(expected.lockBytes)"])
        let peakMax = expectations.arenaPeakBytesMax
        #expect(
            try #require(arena.peakBytes)
                <= (expected.clientCertificate ? peakMax.clientCertificate : peakMax.none))
        #expect(arena.spilledBytes == 0)
        let tiers = Set(report.scans.flatMap { $0.secretBytes.keys })
        #expect(tiers == (expected.lowerTier ? [Self.bestTier, "ordinary"] : [Self.bestTier]))
        guard isFetched else {
            #expect(Self.isMemoryRefusal(report), "\(report.outcome)")
            return
        }
        #expect(report.scans.map(\.phase) == Self.phases)
        // The right bytes were looked for: secret memory held them, then held them no more.
        let token = method == .token ? "credential" : "issued"
        let key = expected.clientCertificate ? ["key-reversed"] : []
        // Kept for the next login, unlike the wrapping token, which is of no use any more.
        let kept = (method == .wrapped ? ["unwrapped"] : []) + key
        #expect(report.held["logged in"] == ([token] + kept).sorted())
        #expect(report.held["holding"] == ([token, "secret"] + kept).sorted())
        #expect(report.held["forgotten"] == ["secret"])
        // Of the locked memory only the values' share is left, for 40 bytes one page.
        let left = try #require(report.scans.first { $0.phase == "forgotten" }).secretBytes
        #expect(left.values.reduce(0, +) < 4 * expected.valueBytes + 8192, "\(left)")
        #expect(report.held["shut down"] == [])
    }

    /// The tiers that were had are named, or the fetch was refused; never silent.
    private func compareBelowLimit(
        _ report: HarnessReport, _ expected: Expectations.Case
    ) throws {
        if expected.minimumTier == "locked" {
            let tiers = Set(report.scans.flatMap { $0.secretBytes.keys })
            #expect(!tiers.contains("ordinary"))
        }
        if report.outcome != "fetched" {
            #expect(Self.isMemoryRefusal(report), "\(report.outcome)")
        }
    }

    /// A buffer was refused, or the arena was full.
    private static func isMemoryRefusal(_ report: HarnessReport) -> Bool {
        report.outcome.contains("tierUnavailable") || report.tiers.arena.refused ?? 0 > 0
    }

    @Test("Control: a program that makes a string of the value or the credential is found out")
    func control() throws {
        let run = try HarnessRun(valueBytes: 40)
        for method in LoginMethod.allCases {
            let report = try run.report(
                method, lockBytes: 8 << 20, minimumTier: "ordinary", isCareless: true)
            #expect(report.outcome == "fetched")
            for phase in ["holding", "forgotten", "shut down"] {
                let scan = try #require(report.scans.first { $0.phase == phase })
                let found = Set(scan.hits.filter { $0.form == "raw" }.map(\.needle))
                #expect(found.isSuperset(of: ["secret", "credential"]), "\(method), \(phase)")
            }
        }
    }
}
