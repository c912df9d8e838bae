// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// Why a file of the catalogue or a record could not be read.
package enum CatalogueFailure: Error, Equatable, CustomStringConvertible {
    case missing(file: String)
    /// `detail` names the key path and what was expected there.
    case unreadable(file: String, detail: String)

    package var description: String {
        switch self {
        case .missing(let file):
            "\(file): not there; the catalogue needs "
                + CatalogueReader.fileNames.joined(separator: ", ")
        case .unreadable(let file, let detail): "\(file): \(detail)"
        }
    }
}

/// Turns the catalogue's files into values. Does no I/O: the caller reads the files.
package enum CatalogueReader {
    /// The files of a catalogue folder; each holds one JSON array.
    package static let fileNames = [
        "frameworks.json", "requirements.json", "claims.json", "tests.json", "limitations.json",
        "events.json", "matrix.json", "audit-items.json", "uses.json", "scenarios.json",
    ]

    /// - Parameter files: content by file name.
    package static func catalogue(from files: [String: Data]) throws(CatalogueFailure) -> Catalogue
    {
        Catalogue(
            frameworks: try list(of: Framework.self, "frameworks.json", files),
            requirements: try list(of: Requirement.self, "requirements.json", files),
            claims: try list(of: Claim.self, "claims.json", files),
            tests: try list(of: EvidenceTest.self, "tests.json", files),
            limitations: try list(of: Limitation.self, "limitations.json", files),
            events: try list(of: CatalogueEvent.self, "events.json", files),
            matrix: try list(of: MatrixCell.self, "matrix.json", files),
            auditItems: try list(of: AuditItem.self, "audit-items.json", files),
            uses: try list(of: ReportUse.self, "uses.json", files),
            scenarios: try list(of: DeploymentScenario.self, "scenarios.json", files))
    }

    private static func list<Element: Decodable>(
        of type: Element.Type, _ name: String, _ files: [String: Data]
    ) throws(CatalogueFailure) -> [Element] {
        guard let data = files[name] else { throw .missing(file: name) }
        return try decode([Element].self, from: data, file: name)
    }

    static func decode<Value: Decodable>(
        _ type: Value.Type, from data: Data, file: String
    ) throws(CatalogueFailure) -> Value {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as DecodingError {
            throw .unreadable(file: file, detail: text(of: error))
        } catch {
            throw .unreadable(file: file, detail: "\(error)")
        }
    }

    private static func text(of error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context):
            "\(place(context)): the key '\(key.stringValue)' is missing"
        case .typeMismatch(let type, let context):
            "\(place(context)): expected \(type)"
        case .valueNotFound(let type, let context):
            "\(place(context)): expected \(type), found null"
        case .dataCorrupted(let context):
            "\(place(context)): \(context.debugDescription)"
        @unknown default:
            "\(error)"
        }
    }

    private static func place(_ context: DecodingError.Context) -> String {
        let path = context.codingPath.map { key in
            key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)"
        }
        return path.isEmpty ? "top level" : path.joined()
    }
}
