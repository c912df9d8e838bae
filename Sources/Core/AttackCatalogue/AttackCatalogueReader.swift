// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// Why a file of the catalogue or a profile could not be read.
package struct AttackCatalogueFailure: Error, Equatable, CustomStringConvertible {
    package let file: String
    package let detail: String

    package var description: String { "\(file): \(detail)" }
}

/// Turns the catalogue and the kernel profiles into values. Does no I/O: the caller reads files.
package enum AttackCatalogueReader {
    package static func catalogue(
        _ data: Data, file: String = "attack-vectors.json"
    ) throws(AttackCatalogueFailure) -> AttackCatalogue {
        let catalogue = try decode(AttackCatalogue.self, data, file)
        try check(catalogue, file)
        return catalogue
    }

    /// The boots of one kernel series.
    package static func profiles(
        _ data: Data, file: String
    ) throws(AttackCatalogueFailure) -> [KernelProfile] {
        let content = try decode(ProfileFile.self, data, file)
        return content.boots.map {
            KernelProfile(
                name: $0.name, series: content.series, parameters: $0.parameters, facts: $0.facts,
                origin: content.origin ?? .measured)
        }
    }

    /// The cells that the last `make vm-test` compared, and how many it has to compare at least.
    package static func measuredCells(
        _ data: Data, file: String = "vm-measured-cells.json"
    ) throws(AttackCatalogueFailure) -> (minimum: Int, cells: Set<MeasuredCell>) {
        let content = try decode(MeasuredFile.self, data, file)
        let cells = content.cells.map {
            MeasuredCell(
                id: $0.id,
                at: CellCoordinates(
                    profile: $0.profile, delivery: $0.delivery, enforcement: $0.enforcement,
                    target: $0.target))
        }
        return (content.minimum, Set(cells))
    }

    private struct MeasuredFile: Decodable {
        struct Cell: Decodable {
            let id: String
            let profile: String
            let delivery: String
            let enforcement: String
            let target: String
        }

        let minimum: Int
        let cells: [Cell]
    }

    private struct ProfileFile: Decodable {
        struct Boot: Decodable {
            let name: String
            let parameters: [String]
            let facts: [String: String]
        }

        let series: String
        let origin: KernelProfile.Origin?
        let boots: [Boot]
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ data: Data, _ file: String
    ) throws(AttackCatalogueFailure) -> Value {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw AttackCatalogueFailure(file: file, detail: "\(error)")
        }
    }

    /// Ids are counted up without a gap; a vector is executable with rules, or has a reason.
    private static func check(
        _ catalogue: AttackCatalogue, _ file: String
    ) throws(AttackCatalogueFailure) {
        for (index, vector) in catalogue.vectors.enumerated() {
            let number = String(index + 1)
            let id = "AV-" + String(repeating: "0", count: max(0, 3 - number.count)) + number
            guard vector.id == id else {
                throw AttackCatalogueFailure(file: file, detail: "\(vector.id) stands for \(id)")
            }
            let hasRules = vector.expected?.isEmpty == false
            guard hasRules == vector.isExecutable, vector.notExecutable?.isEmpty != true else {
                throw AttackCatalogueFailure(
                    file: file, detail: "\(id) needs expected verdicts or a reason, not both")
            }
        }
    }
}
