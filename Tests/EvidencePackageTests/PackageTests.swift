// SPDX-License-Identifier: Apache-2.0
import Compliance
import EvidencePackage
import EvidenceSigning
import Foundation
import KubernetesFormat
import TestKit
import Testing

/// A signed package in memory, as `verify` reads it.
private struct Signed {
    var files: [String: [UInt8]]
    let verifier: PublicKeyVerifier

    init(_ kind: EvidenceKeyKind = .ed25519, sheet: EvidenceSheet? = nil) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.path(percentEncoded: false)
        _ = try EvidenceKeyPair.make(kind, in: path)
        verifier = try PublicKeyVerifier(path: "\(path)/\(EvidenceKeyPair.publicName)")
        let made = try SmallEvidence.folder(sheet)
        files = Dictionary(uniqueKeysWithValues: made.files.map { ($0.path, $0.bytes) })
        let signer = try FileSigner(path: "\(path)/\(EvidenceKeyPair.privateName)")
        let envelope = try Envelope.signed(made.statement, by: signer)
        files[PackageManifest.envelopeName] = Array(envelope.text.utf8)
    }

    func faults(with other: PublicKeyVerifier? = nil) -> [PackageFault] {
        let digests = SmallEvidence.digests
        let found = files.mapValues {
            FoundFile.file(size: $0.count, sha256: digests.sha256Text($0))
        }
        return PackageVerification(digests: digests, verifier: other ?? verifier)
            .faults(found: found, own: files.filter { PackageManifest.ownNames.contains($0.key) })
    }
}

@Suite("A package and its verification")
struct PackageTests {
    @Test("a package as it was signed has no fault", arguments: EvidenceKeyKind.allCases)
    func control(kind: EvidenceKeyKind) throws {
        #expect(try Signed(kind).faults() == [])
    }

    @Test("one flipped bit in any file is found, whichever file it is")
    func flipped() throws {
        let signed = try Signed()
        #expect(signed.files.count > 12)
        for path in signed.files.keys.sorted() {
            let count = signed.files[path]?.count ?? 0
            for index in [0, count / 2, count - 1] where count > 0 {
                var changed = signed
                changed.files[path]?[index] ^= 1
                #expect(changed.faults() != [], "\(path), byte \(index)")
            }
        }
    }

    @Test("every byte of the envelope's payload and signature counts")
    func envelope() throws {
        let signed = try Signed()
        let name = PackageManifest.envelopeName
        let envelope = try Envelope(json: signed.files[name] ?? [])
        #expect(Array(envelope.text.utf8) == signed.files[name])
        for index in stride(from: 0, to: envelope.payload.count, by: 197) {
            var payload = envelope.payload
            payload[index] ^= 1
            var changed = signed
            changed.files[name] = Array(
                Envelope(payload: payload, signatures: envelope.signatures).text.utf8)
            let fault = PackageFault.signatureInvalid(keyID: signed.verifier.keyID)
            #expect(changed.faults().contains(fault), "byte \(index)")
        }
        let own = envelope.signatures[0]
        for index in own.bytes.indices {
            var bytes = own.bytes
            bytes[index] ^= 1
            var changed = signed
            let signatures = [Envelope.Signature(keyID: own.keyID, bytes: bytes)]
            changed.files[name] = Array(
                Envelope(payload: envelope.payload, signatures: signatures).text.utf8)
            #expect(
                changed.faults() == [.signatureInvalid(keyID: signed.verifier.keyID)],
                "byte \(index)")
        }
    }

    @Test("another key verifies nothing")
    func otherKey() throws {
        let signed = try Signed()
        let other = try Signed().verifier
        #expect(signed.faults(with: other) == [.keyUnknown(keyID: other.keyID)])
        #expect(try signed.faults(with: Signed(.p256).verifier).count == 1)
    }

    @Test("a valid signature among others is enough, under its key's name alone")
    func signatures() throws {
        var signed = try Signed()
        let name = PackageManifest.envelopeName
        let envelope = try Envelope(json: signed.files[name] ?? [])
        let other = Envelope.Signature(keyID: "other", bytes: [1, 2])
        signed.files[name] = Array(
            Envelope(payload: envelope.payload, signatures: [other] + envelope.signatures).text
                .utf8)
        #expect(signed.faults() == [])
        let renamed = Envelope.Signature(keyID: "other", bytes: envelope.signatures[0].bytes)
        signed.files[name] = Array(
            Envelope(payload: envelope.payload, signatures: [renamed]).text.utf8)
        #expect(signed.faults() == [.keyUnknown(keyID: signed.verifier.keyID)])
    }

    @Test("bytes all over the envelope that are others are found")
    func envelopeBytes() throws {
        let signed = try Signed()
        let name = PackageManifest.envelopeName
        // A step that meets every place of base64's groups of four.
        for index in stride(from: 0, to: signed.files[name]?.count ?? 0, by: 13) {
            var changed = signed
            changed.files[name]?[index] ^= 1
            #expect(changed.faults() != [], "byte \(index)")
        }
    }

    @Test(
        "what nobody signed in the envelope is found: white space, members, spellings",
        arguments: [
            ("{\n", "{\n\n"), ("{\n", "{\n\"note\": \"verified\",\n"), ("\"sig\"", "\"si\\u0067\""),
            (": \"", ":\t\""),
        ])
    func rewritten(part: String, other: String) throws {
        var signed = try Signed()
        let name = PackageManifest.envelopeName
        let text = String(decoding: signed.files[name] ?? [], as: UTF8.self)
        let range = try #require(text.range(of: part))
        signed.files[name] = Array(text.replacingCharacters(in: range, with: other).utf8)
        #expect(signed.files[name] != Array(text.utf8))
        #expect(signed.faults() == [.envelopeRewritten])
    }

    @Test(
        .evidence(
            "SIM-EVID-01", control: "the same package as it was signed has no fault at all"),
        arguments: EvidenceKeyKind.allCases)
    func `in a signed package any changed, missing or added file is found`(
        kind: EvidenceKeyKind
    ) throws {
        let signed = try Signed(kind)
        #expect(signed.faults() == [])
        var count = 0
        func check(_ change: (inout Signed) -> Void, _ what: String) {
            var changed = signed
            change(&changed)
            #expect(changed.faults() != [], "\(what)")
            count += 1
        }
        for (path, bytes) in signed.files.sorted(by: { $0.key < $1.key }) {
            check({ $0.files[path] = nil }, "\(path) is missing")
            check({ $0.files[path]?.append(0x0a) }, "\(path) is longer")
            check({ $0.files[path]?.removeLast() }, "\(path) is shorter")
            check({ $0.files[path + "x"] = bytes }, "\(path) twice")
            // A space that becomes a line break is the same to a reader of JSON.
            for bits in [1, 0x2a] as [UInt8] {
                for index in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 16)) {
                    check({ $0.files[path]?[index] ^= bits }, "\(path), byte \(index)")
                }
            }
        }
        Evidence.control(passed: signed.faults() == [])
        Evidence.observe("Each of \(count) changes of a package with a \(kind) key was found.")
    }

    @Test("a missing file is named, whichever it is")
    func missing() throws {
        let signed = try Signed()
        for path in signed.files.keys.sorted() {
            var changed = signed
            changed.files[path] = nil
            #expect(changed.faults().contains(.missing(path: path)), "\(path)")
        }
    }

    @Test("a file that does not belong there is named")
    func extra() throws {
        var signed = try Signed()
        signed.files["records/new.json"] = [0x7b, 0x7d]
        #expect(signed.faults() == [.extra(path: "records/new.json")])
    }

    @Test("a link is named, in the place of a file and as one more")
    func links() throws {
        let signed = try Signed()
        let digests = SmallEvidence.digests
        var found = signed.files.mapValues {
            FoundFile.file(size: $0.count, sha256: digests.sha256Text($0))
        }
        found["sheet.md"] = .irregular
        found["socket"] = .irregular
        let verification = PackageVerification(digests: digests, verifier: signed.verifier)
        #expect(
            verification.faults(found: found, own: signed.files)
                == [.irregular(path: "sheet.md"), .irregular(path: "socket")])
    }

    @Test("a manifest made anew for changed files is not what was signed")
    func manifestAnew() throws {
        var signed = try Signed()
        let text = String(decoding: signed.files["sheet.md"] ?? [], as: UTF8.self)
        let digests = SmallEvidence.digests
        let old = digests.sha256Text(Array(text.utf8))
        let changed = Array(text.replacing("partial", with: "direct!").utf8)
        #expect(changed.count == text.utf8.count && changed != Array(text.utf8))
        signed.files["sheet.md"] = changed
        #expect(signed.faults().contains(.digestDiffers(path: "sheet.md")))
        let manifest = String(decoding: signed.files["manifest.json"] ?? [], as: UTF8.self)
        signed.files["manifest.json"] = Array(
            manifest.replacing(old, with: digests.sha256Text(changed)).utf8)
        #expect(
            signed.faults() == [
                .subjectDiffers(path: "manifest.json"), .subjectDiffers(path: "sheet.md"),
            ])
    }

    @Test("a file left out of folder and manifest is missed by the statement")
    func leftOut() throws {
        var signed = try Signed()
        var tree = try JSONTree(signed.files["manifest.json"] ?? [])
        tree["files"] = .array(
            (tree["files"]?.elements ?? []).filter { $0["path"]?.text != "sheet.md" })
        signed.files["manifest.json"] = tree.rendered()
        signed.files["sheet.md"] = nil
        #expect(
            signed.faults() == [
                .subjectDiffers(path: "manifest.json"), .subjectUnknown(path: "sheet.md"),
            ])
    }

    @Test("another statement next to the envelope is found")
    func otherStatement() throws {
        var signed = try Signed()
        signed.files[PackageManifest.statementName]?.append(0x20)
        #expect(signed.faults() == [.statementDiffers])
    }

    @Test(
        "a manifest that leads outside, names itself or a file twice, or has no digest is refused",
        arguments: [
            "\"../a\"", "\"/a\"", "\"a//b\"", "\".a\"", "\"\"", "\"statement.json\"", "\"b\"", "1",
        ])
    func wrongManifest(path: String) {
        let digest = String(repeating: "0", count: 64)
        func manifest(_ path: String, _ digest: String, _ size: String) -> [UInt8] {
            Array(
                """
                {"apiVersion": "cloudtaser.io/v1alpha1", "kind": "EvidencePackage", "files": [
                 {"path": "b", "size": 1, "sha256": "\(String(repeating: "1", count: 64))"},
                 {"path": \(path), "size": \(size), "sha256": "\(digest)"}]}
                """.utf8)
        }
        #expect(throws: Never.self) {
            try PackageManifest(json: manifest("\"a/c\"", digest, "1"))
        }
        #expect(throws: PackageFailure.self) {
            try PackageManifest(json: manifest(path, digest, "1"))
        }
        for (digest, size) in [(digest, "-1"), ("A" + digest.dropFirst(), "1"), ("0", "1")] {
            #expect(throws: PackageFailure.self) {
                try PackageManifest(json: manifest("\"a/c\"", digest, size))
            }
        }
    }

    @Test("an envelope of another type, without a signature or with too many, is refused")
    func wrongEnvelopes() throws {
        let one = #"{"keyid": "k", "sig": "AAAA"}"#
        func text(_ type: String, _ payload: String, _ signatures: [String]) -> [UInt8] {
            Array(
                """
                {"payloadType": "\(type)", "payload": "\(payload)",
                 "signatures": [\(signatures.joined(separator: ","))]}
                """.utf8)
        }
        let type = Envelope.payloadType
        let most = Array(repeating: one, count: Envelope.signaturesMax)
        #expect(throws: Never.self) { try Envelope(json: text(type, "e30=", [one])) }
        #expect(throws: Never.self) { try Envelope(json: text(type, "e30=", most)) }
        for wrong in [
            text("text/plain", "e30=", [one]), text(type, "e30", [one]), text(type, "e30=", []),
            text(type, "e30=", most + [one]), text(type, "e30=", [#"{"sig": "!"}"#]), [0x5b],
        ] {
            #expect(throws: PackageFailure.self) { try Envelope(json: wrong) }
        }
    }

    @Test("the pre-authentication encoding is that of DSSE's own example")
    func encoding() {
        let encoded = Envelope.encoded(
            Array("hello world".utf8), type: "http://example.com/HelloWorld")
        #expect(
            String(decoding: encoded, as: UTF8.self)
                == "DSSEv1 29 http://example.com/HelloWorld 11 hello world")
    }

    @Test("the statement lists tests, and digests of all files and of the commit")
    func statement() throws {
        let folder = try SmallEvidence.folder()
        let tree = try JSONTree(folder.statement)
        #expect(tree["_type"]?.text == "https://in-toto.io/Statement/v1")
        #expect(
            tree["predicateType"]?.text == "https://in-toto.io/attestation/test-result/v0.1")
        let subjects = tree["subject"]?.elements ?? []
        #expect(subjects.count == folder.files.count, "without itself, with the commit")
        let commits = subjects.compactMap { $0.value(at: "digest", "gitCommit")?.text }
        #expect(commits == [SmallEvidence.commit])
        #expect(tree.value(at: "predicate", "result")?.text == "PASSED")
        let passed = tree.at(["predicate", "passedTests"])?.elements?.compactMap(\.text)
        #expect(passed == ["T-1", "T-2"])
        let configuration = tree.at(["predicate", "configuration", "0", "name"])?.text
        #expect(configuration == "catalogue/claims.json")
    }

    @Test("a failed test fails the statement; one without a fresh record warns")
    func results() throws {
        let failed = try SmallEvidence.sheet(
            records: [SmallEvidence.record(result: .fail), SmallEvidence.record("T-2")])
        #expect(TestStatement.result(of: failed) == .failed)
        let tree = try JSONTree(try SmallEvidence.folder(failed).statement)
        #expect(tree.at(["predicate", "failedTests", "0"])?.text == "T-1")
        let open = try SmallEvidence.sheet(records: [SmallEvidence.record()])
        #expect(TestStatement.result(of: open) == .warned)
        let warned = try JSONTree(try SmallEvidence.folder(open).statement)
        #expect(warned.at(["predicate", "warnedTests", "0"])?.text == "T-2")
        #expect(TestStatement.result(of: try SmallEvidence.sheet(records: [])) == .warned)
        let none = try SmallEvidence.sheet(
            catalogue: SmallEvidence.catalogue(framework: "OTHER"))
        #expect(TestStatement.result(of: none) == .warned)
        #expect(TestStatement.result(of: try SmallEvidence.sheet()) == .passed)
    }

    @Test("the same inputs give the same package, byte for byte, in any order of records")
    func stable() throws {
        let once = try SmallEvidence.folder()
        let again = try SmallEvidence.folder(
            SmallEvidence.sheet(records: SmallEvidence.records.reversed()))
        #expect(once.files == again.files && once.statement == again.statement)
    }

    @Test("records that do not count are in the package too")
    func notCounted() throws {
        let records = SmallEvidence.records + [SmallEvidence.record("T-3", dirty: true)]
        let folder = try SmallEvidence.folder(SmallEvidence.sheet(records: records))
        #expect(folder.files.contains { $0.path == "records/2026-11-20/T-3@6.12.json" })
    }

    @Test("a file whose name could lead outside is refused, and a name used twice")
    func names() throws {
        for name in ["../x.json", "a b.json", ".hidden"] {
            let record = SmallEvidence.record()
            let file = RecordFile(name: name, bytes: [], record: record.record)
            #expect(throws: PackageFailure.fileNameUnsuitable(name: "records/\(name)")) {
                try SmallEvidence.folder(SmallEvidence.sheet(records: [file]))
            }
        }
        let twice = [SmallEvidence.record(), SmallEvidence.record()]
        #expect(throws: PackageFailure.self) {
            try SmallEvidence.folder(SmallEvidence.sheet(records: twice))
        }
        #expect(PackagePath.isName(String(repeating: "a", count: PackagePath.nameBytesMax)))
        #expect(!PackagePath.isName(String(repeating: "a", count: PackagePath.nameBytesMax + 1)))
    }
}
