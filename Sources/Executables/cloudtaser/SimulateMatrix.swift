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
        case .table: try Terminal.print(matrix.table(), terminator: "")
        case .json: try Terminal.print(matrix.json(), terminator: "")
        case .html: try Terminal.print(matrix.html(), terminator: "")
        }
        let wrong = matrix.disagreements.count
        guard wrong == 0 else {
            throw OperationalError(
                description: "\(wrong) cells are not as the catalogue has them; they are marked")
        }
    }

    private static func build(_ fixtures: String) throws -> AttackMatrix {
        do {
            let files = try AttackMatrixFiles(
                names: { try Folder.names(in: "\(fixtures)/\($0)") },
                content: { try Folder.data(at: "\(fixtures)/\($0)") })
            return try AttackMatrix.build(
                catalogue: files.catalogue, profiles: files.profiles, measured: files.measured)
        } catch let failure as AttackCatalogueFailure {
            throw OperationalError(description: "\(failure)")
        }
    }
}
