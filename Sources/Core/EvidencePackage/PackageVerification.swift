// SPDX-License-Identifier: Apache-2.0

/// What lies in a package's folder: a file by its digest, or something that is no file.
package enum FoundFile: Sendable, Equatable {
    case file(size: Int, sha256: String)
    /// A link, a socket, a device: it could show something else to each reader.
    case irregular
}

/// What is wrong with a package.
package enum PackageFault: Sendable, Equatable, Hashable, CustomStringConvertible {
    case missing(path: String)
    case extra(path: String)
    case irregular(path: String)
    case sizeDiffers(path: String, expected: Int, found: Int)
    case digestDiffers(path: String)
    case unreadable(detail: String)
    case signatureInvalid(keyID: String)
    case keyUnknown(keyID: String)
    /// Bytes that no signature covers are not those that the program writes.
    case envelopeRewritten
    case statementDiffers
    case subjectMissing(path: String)
    case subjectUnknown(path: String)
    case subjectDiffers(path: String)

    package var description: String {
        switch self {
        case .missing(let path): "\(path): missing"
        case .extra(let path): "\(Plain.line(path)): not in the manifest"
        case .irregular(let path): "\(Plain.line(path)): not a regular file"
        case .sizeDiffers(let path, let expected, let found):
            "\(path): changed, \(found) bytes instead of \(expected)"
        case .digestDiffers(let path): "\(path): changed, its SHA-256 is another"
        case .unreadable(let detail): detail
        case .signatureInvalid(let keyID):
            "\(PackageManifest.envelopeName): the signature is not one of the key \(keyID) over "
                + "this statement"
        case .keyUnknown(let keyID):
            "\(PackageManifest.envelopeName): not signed with the key \(keyID)"
        case .envelopeRewritten:
            "\(PackageManifest.envelopeName): holds bytes that nobody signed, other than the "
                + "program writes them; take the file as it was made"
        case .statementDiffers:
            "\(PackageManifest.statementName): not the statement that was signed"
        case .subjectMissing(let path): "\(path): the signed statement does not name it"
        case .subjectUnknown(let path):
            "\(Plain.line(path)): the signed statement names it, the package does not have it"
        case .subjectDiffers(let path): "\(path): not what the signed statement says it is"
        }
    }
}

/// Compares a folder with its manifest, and the manifest with the signed statement. Everything is
/// anchored in the public key: what the envelope does not vouch for is a fault.
package struct PackageVerification {
    private let digests: any EvidenceDigests
    private let verifier: any StatementVerifier

    package init(digests: any EvidenceDigests, verifier: any StatementVerifier) {
        self.digests = digests
        self.verifier = verifier
    }

    /// - Parameters:
    ///   - found: everything below the folder, by path.
    ///   - own: the bytes of manifest, statement and envelope, as far as they are there.
    /// - Returns: by kind, then path; empty: the package is whole and signed with the key.
    package func faults(
        found: [String: FoundFile], own: [String: [UInt8]]
    ) -> [PackageFault] {
        var faults: [PackageFault] = []
        for name in PackageManifest.ownNames.sorted() where own[name] == nil {
            faults.append(.missing(path: name))
        }
        faults += found.filter { $0.value == .irregular }.keys.sorted()
            .map { .irregular(path: $0) }
        let statement = signedStatement(own, &faults)
        do throws(PackageFailure) {
            if let bytes = own[PackageManifest.fileName] {
                let manifest = try PackageManifest(json: bytes)
                faults += Self.faults(of: manifest, found)
                if let statement { faults += self.faults(of: statement, manifest, bytes) }
            }
        } catch { faults.append(.unreadable(detail: error.description)) }
        return faults
    }

    /// nil when nothing in the envelope can be believed.
    private func signedStatement(
        _ files: [String: [UInt8]], _ faults: inout [PackageFault]
    ) -> TestStatement? {
        guard let bytes = files[PackageManifest.envelopeName] else { return nil }
        do throws(PackageFailure) {
            let envelope = try Envelope(json: bytes)
            // White space, other members and other spellings of the same text are under no
            // signature: there is one form.
            if Array(envelope.text.utf8) != bytes { faults.append(.envelopeRewritten) }
            let message = Envelope.encoded(envelope.payload)
            // DSSE calls the key's name a hint. Here it has to be right, so that no byte of the
            // envelope can be another.
            let own = envelope.signatures.filter { $0.keyID == verifier.keyID }
            guard !own.isEmpty else {
                faults.append(.keyUnknown(keyID: verifier.keyID))
                return nil
            }
            guard own.contains(where: { verifier.isValid($0.bytes, of: message) }) else {
                faults.append(.signatureInvalid(keyID: verifier.keyID))
                return nil
            }
            if let copy = files[PackageManifest.statementName], copy != envelope.payload {
                faults.append(.statementDiffers)
            }
            return try TestStatement(json: envelope.payload, file: PackageManifest.envelopeName)
        } catch {
            faults.append(.unreadable(detail: error.description))
            return nil
        }
    }

    private static func faults(
        of manifest: PackageManifest, _ found: [String: FoundFile]
    ) -> [PackageFault] {
        let changed = manifest.files.compactMap { entry -> PackageFault? in
            switch found[entry.path] {
            case nil: .missing(path: entry.path)
            case .irregular: nil
            case .file(let size, let sha256):
                if size != entry.size {
                    .sizeDiffers(path: entry.path, expected: entry.size, found: size)
                } else {
                    sha256 == entry.sha256 ? nil : .digestDiffers(path: entry.path)
                }
            }
        }
        let known = Set(manifest.files.map(\.path)).union(PackageManifest.ownNames)
        let extra = found.keys.filter { !known.contains($0) && found[$0] != .irregular }
        return changed + extra.sorted().map { .extra(path: $0) }
    }

    private func faults(
        of statement: TestStatement, _ manifest: PackageManifest, _ bytes: [UInt8]
    ) -> [PackageFault] {
        var expected = Dictionary(
            manifest.files.map { ($0.path, $0.sha256) }, uniquingKeysWith: { first, _ in first })
        expected[PackageManifest.fileName] = digests.sha256Text(bytes)
        let signed = Dictionary(
            statement.files.map { ($0.path, $0.sha256) }, uniquingKeysWith: { first, _ in first })
        let missing = expected.keys.sorted().compactMap { path -> PackageFault? in
            guard let sha256 = signed[path] else { return .subjectMissing(path: path) }
            return sha256 == expected[path] ? nil : .subjectDiffers(path: path)
        }
        let unknown = signed.keys.filter { expected[$0] == nil }.sorted()
        return missing + unknown.map { .subjectUnknown(path: $0) }
    }
}
