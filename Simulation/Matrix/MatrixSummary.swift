// SPDX-License-Identifier: Apache-2.0
package import AttackCatalogue
internal import Simulation

extension AttackMatrix {
    /// Counts over the product's cells.
    package struct Summary: Sendable, Equatable {
        package let vectors: Int
        package let executable: Int
        package let cells: Int
        package let byVerdict: [CellVerdict: Int]
        package let disagreements: Int
        /// Cells that a VM test has compared with a real kernel.
        package let measured: Int
        /// Cells of kernels that nobody booted.
        package let onModelledKernels: Int
    }

    package var summary: Summary {
        var byVerdict: [CellVerdict: Int] = [:]
        for cell in cells { byVerdict[cell.derived.verdict, default: 0] += 1 }
        return Summary(
            vectors: catalogue.vectors.count,
            executable: catalogue.vectors.count(where: \.isExecutable), cells: cells.count,
            byVerdict: byVerdict, disagreements: disagreements.count,
            measured: cells.count { isMeasured($0) },
            onModelledKernels: cells.count { origin(of: $0) == .modelled })
    }

    package func isMeasured(_ cell: Cell) -> Bool {
        measured.contains(MeasuredCell(id: cell.id, at: cell.at))
    }

    /// Where the facts of the cell's kernel come from.
    package func origin(of cell: Cell) -> KernelProfile.Origin {
        profiles.first { $0.name == cell.at.profile }?.origin ?? .modelled
    }

    /// The cells of one vector in one profile.
    func cells(_ id: String, in profile: String) -> [Cell] {
        index[Place(id: id, profile: profile)] ?? []
    }

    struct Place: Hashable, Sendable {
        let id: String
        let profile: String
    }
}

extension CellVerdict {
    /// The order from the attacker's loss to the attacker's gain.
    package var severity: Int {
        switch self {
        case .notApplicable: 0
        case .blocked: 1
        case .detected: 2
        case .exposed: 3
        }
    }

    /// One letter for tables.
    package var letter: String {
        switch self {
        case .notApplicable: "-"
        case .blocked: "B"
        case .detected: "D"
        case .exposed: "E"
        }
    }
}
