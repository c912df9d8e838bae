// SPDX-License-Identifier: Apache-2.0
import Compliance
import EvidencePackage
import EvidenceSigning
import Foundation
import KubernetesFormat

extension CatalogueOption {
    /// The catalogue's files by name, as they are copied into a package.
    func files() throws -> [PackageFile] {
        try Folder.contents(of: catalogue, ending: ".json").sorted { $0.key < $1.key }
            .map { PackageFile(path: $0.key, bytes: Array($0.value)) }
    }

    func publication() throws -> Publication {
        let path = "\(catalogue)/\(Publication.fileName)"
        let bytes = Array(try Folder.data(at: path))
        do { return try Publication(json: bytes) } catch {
            throw OperationalError(description: "\(catalogue)/\(error)")
        }
    }

    /// Every generated page and OSCAL document by its path below the pages' folder.
    func pages() throws -> [String: String] {
        let catalogue = try checked()
        let exports = OscalExports(
            catalogue, publication: try publication(), digests: OpenSSLDigests())
        let documents: [OscalDocument]
        do { documents = try exports.documents() } catch {
            throw Findings(description: "\(self.catalogue): \(error)")
        }
        return documents.reduce(into: CompliancePages(catalogue).files) { files, document in
            files["oscal/\(document.fileName)"] = document.text
        }
    }
}

/// Records, audits and the organisation's own documents, read from their folders.
struct EvidenceSources {
    private(set) var records: [RecordFile] = []
    private(set) var audits: [AuditSnapshot] = []
    /// Why a file is no audit, with its name.
    private(set) var auditsUnread: [String] = []
    private(set) var manual = ManualEvidence.none
    private(set) var manualFile: PackageFile?
    /// By path in the package: of the organisation, and files that are no audits.
    private(set) var attachments: [PackageFile] = []

    mutating func readRecords(in folder: String) throws {
        for name in try FolderTree.files(in: folder) where name.hasSuffix(".json") {
            let bytes = try FolderTree.bytes(at: "\(folder)/\(name)")
            let record = try Self.record(bytes, file: "\(folder)/\(name)")
            records.append(RecordFile(name: name, bytes: bytes, record: record))
        }
    }

    /// A record in which no member stands twice: another reader might take the other one.
    static func record(_ bytes: [UInt8], file: String) throws -> EvidenceRecord {
        do throws(JSONTree.Failure) { _ = try JSONTree(bytes) } catch {
            let reason =
                if case .duplicateName(let name) = error {
                    "'\(Plain.line(name))' is there twice"
                } else {
                    "no JSON that can be read"
                }
            throw OperationalError(description: "\(Plain.line(file)): \(reason)")
        }
        return try EvidenceRecord(json: Data(bytes), file: file)
    }

    /// A file that is no audit is told in the sheet, and does not stop the rest.
    mutating func readAudits(in folder: String) throws {
        for name in try FolderTree.files(in: folder)
        where name.hasSuffix(".json") && !name.contains("/") {
            let bytes = try FolderTree.bytes(at: "\(folder)/\(name)")
            do throws(PackageFailure) {
                audits.append(try AuditSnapshot(name: name, bytes: bytes))
            } catch {
                auditsUnread.append(error.description)
                attachments.append(PackageFile(path: "audits/\(name)", bytes: bytes))
            }
        }
    }

    /// Attachments lie next to the file, or in its folder `attachments/SLOT` as in a package.
    mutating func readManual(at path: String) throws {
        let bytes = try FolderTree.bytes(at: path)
        let read: ManualEvidence
        do { read = try ManualEvidence(json: bytes, file: path) } catch {
            throw OperationalError(description: error.description)
        }
        manual = read
        manualFile = PackageFile(path: "manual.json", bytes: bytes)
        let folder = URL(filePath: path).deletingLastPathComponent()
        for item in read.items {
            guard let name = item.file, let target = item.path else { continue }
            let places = [folder.appending(path: name), folder.appending(path: target)]
                .map { $0.path(percentEncoded: false) }
            let place = places.first(where: FileManager.default.fileExists) ?? places[0]
            // A link would put something into the package that nobody named.
            guard FolderTree.isFile(place) || !FileManager.default.fileExists(atPath: place) else {
                throw OperationalError(
                    description: "\(place): not a regular file; copy what it leads to")
            }
            attachments.append(PackageFile(path: target, bytes: try FolderTree.bytes(at: place)))
        }
    }
}
