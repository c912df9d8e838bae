// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// A file to be written.
package struct PackageFile: Sendable, Equatable {
    /// With `/` between names.
    package let path: String
    package let bytes: [UInt8]

    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    init(path: String, text: String) { self.init(path: path, bytes: Array(text.utf8)) }
}

/// All files of a package but the envelope, which needs a key.
package struct PackageFolder: Sendable {
    /// What the sheet was made from; an auditor makes it again from the same.
    package struct Sources: Sendable {
        /// The catalogue's files by name.
        package let catalogue: [PackageFile]
        package let manual: PackageFile?
        /// By path in the package.
        package let attachments: [PackageFile]

        package init(
            catalogue: [PackageFile], manual: PackageFile? = nil, attachments: [PackageFile] = []
        ) {
            self.catalogue = catalogue
            self.manual = manual
            self.attachments = attachments
        }
    }

    /// The manifest and the statement among them.
    package let files: [PackageFile]
    /// What is signed.
    package let statement: [UInt8]

    /// - Parameter tool: name and version of the program.
    package init(
        sheet: EvidenceSheet, sources: Sources, tool: String, digests: any EvidenceDigests
    ) throws(PackageFailure) {
        var files = try Self.documents(sheet, digests)
        let catalogue = sources.catalogue.map {
            PackageFile(path: "catalogue/\($0.path)", bytes: $0.bytes)
        }
        files += catalogue
        let page = SheetPage(sheet)
        files += [
            PackageFile(path: "README.md", text: Self.readme(sheet)),
            PackageFile(path: "sheet.md", text: page.markdown),
            PackageFile(path: "sheet.html", text: page.html),
            PackageFile(path: "sheet.json", text: sheet.json.indented),
        ]
        let records = sheet.book.counted.map(\.file) + sheet.book.notCounted.map(\.file)
        files += records.map { PackageFile(path: $0.path, bytes: $0.bytes) }
        files += (sheet.audits + sheet.auditsOutside).map {
            PackageFile(path: $0.path, bytes: $0.bytes)
        }
        if let manual = sources.manual {
            files.append(PackageFile(path: "manual.json", bytes: manual.bytes))
        }
        files += sources.attachments
        try Self.check(files)
        let entry = { (file: PackageFile) in
            ManifestEntry(
                path: file.path, size: file.bytes.count, sha256: digests.sha256Text(file.bytes))
        }
        let manifest = PackageManifest(files: files.map(entry))
        let list = PackageFile(
            path: PackageManifest.fileName, text: manifest.text(of: sheet, tool: tool))
        let made = TestStatement(
            sheet: sheet, files: manifest.files + [entry(list)],
            configuration: catalogue.map(entry))
        statement = made.bytes
        self.files =
            files.sorted { $0.path < $1.path }
            + [list, PackageFile(path: PackageManifest.statementName, bytes: made.bytes)]
    }

    private static func documents(
        _ sheet: EvidenceSheet, _ digests: any EvidenceDigests
    ) throws(PackageFailure) -> [PackageFile] {
        var documents = try OscalExports(
            sheet.catalogue, publication: sheet.publication, digests: digests
        ).documents()
        if let results = OscalResults(sheet, digests: digests).document {
            documents.append(results)
        }
        let faults = OscalReferences(documents).faults()
        guard faults.isEmpty else { throw .documentsUnsound(faults: faults.map(\.description)) }
        return documents.map { PackageFile(path: "oscal/\($0.fileName)", text: $0.text) }
    }

    private static func check(_ files: [PackageFile]) throws(PackageFailure) {
        var seen: Set<String> = []
        for file in files {
            guard PackagePath.isPath(file.path) else { throw .fileNameUnsuitable(name: file.path) }
            guard seen.insert(file.path).inserted else { throw .fileRepeated(path: file.path) }
        }
    }

    private static func readme(_ sheet: EvidenceSheet) -> String {
        let request = sheet.request
        return """
            # Evidence package

            \(request.use.title), \(request.from) to \(request.to).

            - `sheet.md`, `sheet.html`, `sheet.json`: the sheet, three times the same
            - `oscal/`: catalogs, component definition, mapping, assessment results
            - `records/`, `audits/`, `manual.json`, `attachments/`: what the sheet was made from
            - `catalogue/`: the claims, tests and limitations it was made with
            - `manifest.json`: path, size and SHA-256 of each file
            - `statement.json`: in-toto test result over these digests; `statement.dsse.json` holds
              the same bytes with a signature, when the package was signed

            Verify it with the signer's public key, from a source other than this package:

                cloudtaser evidence verify DIR --public-key FILE

            Make the sheet again from the same files, and compare:

                cloudtaser evidence package --for \(request.use.rawValue) \\
                    --from \(request.from) --to \(request.to) \\
                    --max-age-days \(request.ageDaysMax) \\
                    --catalogue DIR/catalogue --records DIR/records --audits DIR/audits --out AGAIN

            with the options --commit, --scenario and --declared-by as the sheet shows them, and
            --manual DIR/manual.json with its attachments next to it. Run a test itself again with
            the command that `catalogue/tests.json` names, at the record's commit.

            """
    }
}
