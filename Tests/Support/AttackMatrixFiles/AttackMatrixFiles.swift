// SPDX-License-Identifier: Apache-2.0
package import AttackCatalogue
internal import Foundation

/// The matrix's files of a checkout.
package struct AttackMatrixFiles: Sendable {
    package let catalogue: AttackCatalogue
    /// In the order of their names.
    package let profiles: [KernelProfile]
    package let measured: Set<MeasuredCell>
    package let measuredMinimum: Int

    /// - Parameter root: the checkout.
    package init(root: String) throws {
        let fixtures = URL(filePath: root).appending(path: "Fixtures")
        func content(_ name: String) throws -> Data {
            try Data(contentsOf: fixtures.appending(path: name))
        }
        catalogue = try AttackCatalogueReader.catalogue(content("attack-vectors.json"))
        let folder = fixtures.appending(path: "kernel-profiles").path(percentEncoded: false)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        profiles = try names.filter { $0.hasSuffix(".json") }.flatMap { name in
            try AttackCatalogueReader.profiles(content("kernel-profiles/\(name)"), file: name)
        }.sorted { $0.name.compare($1.name, options: .numeric) == .orderedAscending }
        let read = try AttackCatalogueReader.measuredCells(content("vm-measured-cells.json"))
        (measuredMinimum, measured) = (read.minimum, read.cells)
    }
}
