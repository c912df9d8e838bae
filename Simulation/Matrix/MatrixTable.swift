// SPDX-License-Identifier: Apache-2.0
internal import AttackCatalogue
internal import Simulation

extension AttackMatrix {
    /// Text for a terminal: one table per kernel profile, application and wrapper in each cell.
    package func table() -> String {
        let total = summary
        var lines = [
            "\(total.vectors) vectors, \(total.executable) played in \(total.cells) cells: "
                + CellVerdict.allCases.map { "\(total.byVerdict[$0] ?? 0) \($0.rawValue)" }
                .joined(separator: ", "),
            "\(total.disagreements) disagree with the catalogue; \(total.measured) compared with "
                + "a real kernel (*); \(total.onModelledKernels) are on kernels that are "
                + "modelled, not measured; detect, deny and deny+kill model the agent of step 3",
            "Cells: application/wrapper. B blocked, D detected, E exposed, - not applicable",
        ]
        for profile in profiles {
            lines += ["", "Kernel \(profile.title)"] + header()
            lines += catalogue.vectors.filter(\.isExecutable).map { row($0, profile.name) }
        }
        lines += ["", "Not played:"]
        lines += catalogue.vectors.compactMap { vector in
            vector.notExecutable.map { "\(vector.id) \(vector.name): \($0)" }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static let nameColumns = 46
    private static let cellColumns =
        2 + (EnforcementMode.modes.map(\.rawValue.count).max() ?? 0)

    /// Delivery modes, and below each the enforcement modes.
    private func header() -> [String] {
        let modes = EnforcementMode.modes.map(\.rawValue)
        let groups = ModelledDelivery.allCases.map {
            padded($0.rawValue, Self.cellColumns * modes.count)
        }
        let columns = ModelledDelivery.allCases.flatMap { _ in
            modes.map { padded($0, Self.cellColumns) }
        }
        return [groups, columns].map { padded("", Self.nameColumns) + $0.joined() }
    }

    private func row(_ vector: CatalogueVector, _ profile: String) -> String {
        let cells = cells(vector.id, in: profile)
        let columns = ModelledDelivery.allCases.flatMap { delivery in
            EnforcementMode.modes.map { mode in
                let here = cells.filter {
                    $0.at.delivery == delivery.rawValue && $0.at.enforcement == mode.rawValue
                }
                let text = here.map { cell in
                    cell.derived.verdict.letter + (isMeasured(cell) ? "*" : "")
                        + (cell.agrees ? "" : "!")
                }.joined(separator: "/")
                return padded(text, Self.cellColumns)
            }
        }
        return padded("\(vector.id) \(vector.name)", Self.nameColumns) + columns.joined()
    }

    private func padded(_ text: String, _ columns: Int) -> String {
        let cut = String(text.prefix(columns - 1))
        return cut + String(repeating: " ", count: columns - cut.count)
    }
}
