// SPDX-License-Identifier: Apache-2.0
internal import AttackCatalogue
internal import Simulation

extension AttackMatrix {
    /// One JSON document with a cell per line. Members: `summary`, `profiles`, `origins` (per
    /// profile `measured`, or `modelled, not measured`), `cells`, and `programCells` (the test
    /// program deny_ptrace, without an expectation). A cell has its profile's origin.
    package func json() -> String {
        let total = summary
        let verdicts = CellVerdict.allCases.map {
            ($0.rawValue, SimulatedJSON.number(String(total.byVerdict[$0] ?? 0)))
        }
        let head: SimulatedJSON = .object([
            ("vectors", .number(String(total.vectors))),
            ("executable", .number(String(total.executable))),
            ("cells", .number(String(total.cells))), ("verdicts", .object(verdicts)),
            ("disagreements", .number(String(total.disagreements))),
            ("measured", .number(String(total.measured))),
            ("onModelledKernels", .number(String(total.onModelledKernels))),
        ])
        let names: SimulatedJSON = .array(profiles.map { .string($0.name) })
        let origins: SimulatedJSON = .object(
            profiles.map { ($0.name, .string($0.origin.rawValue)) })
        return "{\"summary\":\(text(head)),\n\"profiles\":\(text(names)),\n"
            + "\"origins\":\(text(origins)),\n\"cells\":[\n"
            + cells.map { text(object($0)) }.joined(separator: ",\n")
            + "\n],\n\"programCells\":[\n"
            + programCells.map { text(object($0)) }.joined(separator: ",\n") + "\n]}\n"
    }

    private func text(_ value: SimulatedJSON) -> String {
        String(decoding: value.rendered(), as: UTF8.self)
    }

    private func object(_ cell: Cell) -> SimulatedJSON {
        var members: [(name: String, value: SimulatedJSON)] = [
            ("id", .string(cell.id)), ("profile", .string(cell.at.profile)),
            ("origin", .string(origin(of: cell).rawValue)),
            ("delivery", .string(cell.at.delivery)),
            ("enforcement", .string(cell.at.enforcement)), ("target", .string(cell.at.target)),
            ("verdict", .string(cell.derived.verdict.rawValue)),
            ("gain", .string(cell.derived.gain.rawValue)),
            ("errorName", cell.derived.errorName.map { .string($0) } ?? .null),
            ("events", .array(cell.derived.events.map { .string($0) })),
            ("actorEnds", .bool(cell.derived.actorEnds)),
            ("reason", .string(cell.derived.reason)),
        ]
        if let expected = cell.expected {
            members += [
                ("expected", .string(expected.verdict.rawValue)),
                ("expectedReason", .string(expected.reason)), ("agrees", .bool(cell.agrees)),
                ("measured", .bool(isMeasured(cell))),
            ]
        }
        return .object(members)
    }
}
