// SPDX-License-Identifier: Apache-2.0
import AttackCatalogue
import Foundation
import SimulationMatrix

/// `simulate --matrix`: every attack, kernel profile, delivery mode and enforcement mode.
enum SimulateMatrix {
    /// - Parameter fixtures: the folder of the catalogue, the kernel profiles and the cells that
    ///   real kernels have confirmed.
    static func run(_ output: SimulateOutput, fixtures: String) throws {
        let matrix = try build(fixtures)
        switch output {
        case .table: print(matrix.table(), terminator: "")
        case .json: print(matrix.json(), terminator: "")
        case .html: print(matrix.html(), terminator: "")
        }
        let wrong = matrix.disagreements.count
        guard wrong == 0 else {
            throw OperationalError(
                description: "\(wrong) cells are not as the catalogue has them; they are marked")
        }
    }

    private static func build(_ fixtures: String) throws -> AttackMatrix {
        let profiles = try Folder.contents(of: "\(fixtures)/kernel-profiles", ending: ".json")
        let catalogue = "\(fixtures)/attack-vectors.json"
        let measured = "\(fixtures)/vm-measured-cells.json"
        do {
            let read = try profiles.flatMap { name, data in
                try AttackCatalogueReader.profiles(data, file: name)
            }
            return try AttackMatrix.build(
                catalogue: try AttackCatalogueReader.catalogue(Folder.data(at: catalogue)),
                profiles: read.sorted {
                    $0.name.compare($1.name, options: .numeric) == .orderedAscending
                },
                measured: try AttackCatalogueReader.measuredCells(Folder.data(at: measured)).cells)
        } catch let failure as AttackCatalogueFailure {
            throw OperationalError(description: "\(failure)")
        }
    }
}
