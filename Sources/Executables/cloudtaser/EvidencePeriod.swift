// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
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
    var scenario: PackageScenario?
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
        do { _ = try request() } catch { throw ValidationError("\(error)") }
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
extension PackageScenario: ExpressibleByArgument {}
extension EvidenceDay: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}
