// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestKit

/// Fixtures/heap-scan/expectations.json; its PROVENANCE.md says what the fields mean.
struct Expectations: Codable {
    struct Case: Codable, CustomStringConvertible {
        let lockBytes: Int
        let valueBytes: Int
        let minimumTier: String
        let outcome: String
        let lowerTier: Bool
        let clientCertificate: Bool

        var description: String {
            "\(valueBytes) bytes under a limit of \(lockBytes), \(minimumTier) at least"
                + (clientCertificate ? ", with a client certificate" : "")
        }
    }

    let arenaBytes: [String: Int]
    struct ArenaPeak: Codable {
        let none: Int
        let clientCertificate: Int
    }

    let arenaPeakBytesMax: ArenaPeak
    let cases: [Case]

    static func load() throws -> Expectations {
        let file = URL(filePath: Checkout.root + "/Fixtures/heap-scan/expectations.json")
        return try JSONDecoder().decode(Expectations.self, from: Data(contentsOf: file))
    }
}

/// What heap-scan-harness prints.
struct HarnessReport: Codable {
    struct Arena: Codable {
        let tier: String?
        let weakestTier: String?
        let bytes: Int?
        let peakBytes: Int?
        let spilledBytes: Int?
        let refused: Int?
    }

    struct Tiers: Codable {
        let arena: Arena
        let image: String
    }

    struct Hit: Codable, CustomStringConvertible {
        let needle: String
        let form: String
        let mapping: String

        var description: String { "\(needle) (\(form)) in \(mapping)" }
    }

    struct Scan: Codable {
        let phase: String
        let hits: [Hit]
        let scannedBytes: Int
        let scannedMappings: Int
        let secretBytes: [String: Int]
        let unreadable: [String]
    }

    struct Control: Codable {
        let planted: Int
        let missed: [String]
    }

    let outcome: String
    let lockBytes: Int
    /// What could be locked at the start, of the amounts that the expectations are about.
    let lockableBytes: Int
    let tiers: Tiers
    let scans: [Scan]
    let held: [String: [String]]
    let control: Control
}
