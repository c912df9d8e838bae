// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// What the attack matrix is made of: the catalogue, the kernel profiles and the cells that were
/// compared with real kernels.
package struct AttackMatrixFiles: Sendable {
    package let catalogue: AttackCatalogue
    /// In the order of their names, numbers as numbers.
    package let profiles: [KernelProfile]
    package let measured: Set<MeasuredCell>
    /// How many cells `make vm-test` has to compare at least.
    package let measuredMinimum: Int

    /// Where the profiles are, below the folder of the fixtures.
    package static let profileFolder = "kernel-profiles"

    /// - Parameters:
    ///   - names: the names of a folder's files; the path is relative to the fixtures.
    ///   - content: a file's bytes.
    /// - Throws: what the two throw, and `AttackCatalogueFailure` for a file that is not as it has
    ///   to be.
    package init(
        names: (_ folder: String) throws -> [String], content: (_ path: String) throws -> Data
    ) throws {
        catalogue = try AttackCatalogueReader.catalogue(content("attack-vectors.json"))
        profiles = try names(Self.profileFolder).filter { $0.hasSuffix(".json") }.flatMap { name in
            try AttackCatalogueReader.profiles(
                content("\(Self.profileFolder)/\(name)"), file: name)
        }.sorted { $0.name.compare($1.name, options: .numeric) == .orderedAscending }
        (measuredMinimum, measured) = try AttackCatalogueReader.measuredCells(
            content("vm-measured-cells.json"))
        let modelled = Set(profiles.filter { $0.origin == .modelled }.map(\.name))
        if let cell = measured.first(where: { modelled.contains($0.at.profile) }) {
            throw AttackCatalogueFailure(
                file: "vm-measured-cells.json",
                detail: "\(cell.id) is measured on \(cell.at.profile), which is modelled only")
        }
    }
}
