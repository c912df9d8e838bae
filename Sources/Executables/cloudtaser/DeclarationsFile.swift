// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import ManifestFiles
import Reporting

/// What `--declarations` names.
enum DeclarationsFile {
    static func read(_ path: String) throws -> AuditDeclarations {
        let document: JSONTree
        do throws(Manifests.Failure) { document = try Manifests.document(at: path) } catch {
            throw OperationalError(description: error.message)
        }
        do throws(AuditDeclarations.Malformed) {
            return try AuditDeclarations(document)
        } catch { throw OperationalError(description: "\(path): \(error.message)") }
    }
}
