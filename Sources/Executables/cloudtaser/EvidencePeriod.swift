// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Compliance
import EvidencePackage

/// What a package is for, and which records count in it.
struct EvidencePeriod: ParsableArguments {
    @Option(name: .customLong("for"), help: "ropa, nis2, dora, soa or soc2.")
    var use: EvidenceUse
    @Option(help: "First day, YYYY-MM-DD (UTC).")
    var from: EvidenceDay
    @Option(help: "Last day, YYYY-MM-DD (UTC).")
    var to: EvidenceDay
    @Option(help: "Days for which a record says something.")
    var maxAgeDays = PackageRequest.ageDaysUsual
    @Option(help: "Count records of this commit only (whole, hexadecimal); repeated for several.")
    var commit: [String] = []
    @Option(help: "SC-1 … SC-5, where the workloads run; nothing measured tells it.")
    var scenario: String?
    @Option(help: "Who declares the scenario.")
    var declaredBy: String?

    func validate() throws {
        guard (scenario == nil) == (declaredBy == nil) else {
            throw ValidationError("--scenario and --declared-by go together")
        }
        if let declaredBy, declaredBy.allSatisfy(\.isWhitespace) {
            throw ValidationError("--declared-by is empty; name who declares the scenario")
        }
        guard (1...PackageRequest.ageDaysMax).contains(maxAgeDays) else {
            throw ValidationError("--max-age-days is 1 to \(PackageRequest.ageDaysMax)")
        }
        for text in commit where !Self.isCommit(text) {
            throw ValidationError(
                "--commit: '\(Plain.line(text))' is no whole commit of 40 or 64 lower-case "
                    + "hexadecimal digits; git rev-parse writes one")
        }
        do { _ = try request() } catch { throw ValidationError("\(error)") }
    }

    private static func isCommit(_ text: String) -> Bool {
        [40, 64].contains(text.utf8.count)
            && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Not in the package, which is the same whenever it is made: a day that is not over has what
    /// the days before it had.
    func note(at seconds: Int64) -> String? {
        let now = EvidenceTime(seconds: seconds)
        guard to.end > now else { return nil }
        return "note: the period is not over; what is said for \(now.day) and later comes from "
            + "records before, and may change"
    }

    func request() throws -> PackageRequest {
        var declaration: ScenarioDeclaration?
        if let scenario, let declaredBy {
            declaration = ScenarioDeclaration(scenario, declaredBy: declaredBy)
        }
        return try PackageRequest(
            use: use, from: from, to: to, ageDaysMax: maxAgeDays, commits: commit,
            scenario: declaration)
    }
}

extension EvidenceUse: ExpressibleByArgument {}
extension EvidenceDay: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}
