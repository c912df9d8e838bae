// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import EvidencePackage
import EvidenceSigning
import Foundation

struct EvidenceVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every file of an evidence package, and its signature.",
        discussion: """
            Example:
              cloudtaser evidence verify handover --public-key evidence-key.pub.pem

            Needs nothing but the folder and the public key. Take the key from where its owner
            publishes it, never from the package. Ends with 3 and names what was changed, is
            missing or does not belong there. \(Exit.help)
            """)

    @Argument(help: "Folder of the package.")
    var folder: String
    @Option(help: "PEM file of the signer's public key, Ed25519 or P-256.")
    var publicKey: String

    func run() throws {
        let verifier: PublicKeyVerifier
        do { verifier = try PublicKeyVerifier(path: publicKey) } catch {
            throw OperationalError(description: error.description)
        }
        let digests = OpenSSLDigests()
        var found: [String: FoundFile] = [:]
        var own: [String: [UInt8]] = [:]
        for entry in try FolderTree.entries(in: folder) {
            guard entry.isFile else {
                found[entry.path] = .irregular
                continue
            }
            let path = "\(folder)/\(entry.path)"
            if let size = FolderTree.size(of: path), size > FolderTree.fileBytesMax {
                // No package has one: its size is wrong, whatever its bytes are.
                found[entry.path] = .file(size: size, sha256: "")
                continue
            }
            let bytes = try FolderTree.bytes(at: path)
            found[entry.path] = .file(size: bytes.count, sha256: digests.sha256Text(bytes))
            if PackageManifest.ownNames.contains(entry.path) { own[entry.path] = bytes }
        }
        let faults = PackageVerification(digests: digests, verifier: verifier)
            .faults(found: found, own: own)
        guard faults.isEmpty else {
            throw Findings(
                description: faults.map { "\(folder): \($0)" }.joined(separator: "\n"))
        }
        try Terminal.print("\(found.count) files are as the key \(verifier.keyID) signed them")
    }
}
