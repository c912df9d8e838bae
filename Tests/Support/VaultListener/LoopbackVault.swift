// SPDX-License-Identifier: Apache-2.0
import Glibc
package import LoopbackPKI
package import Simulation

/// A listener together with the files a client needs: the authority's PEM and whatever a test
/// writes. The directory goes with the last reference.
package final class LoopbackVault: Sendable {
    package let pki: LoopbackPKI
    package let listener: VaultListener
    /// Private to this vault.
    package let directory: String
    /// PEM of the authority that signed the server's certificate.
    package let authorityFile: String

    /// - Parameters:
    ///   - identity: makes the server's certificate; nil: a good one.
    ///   - requireClientCertificate: refuse clients without one of this authority.
    ///   - followsClock: the vault's time passes as the clock does; otherwise it stands still.
    ///   - askForClientCertificate: take one of this authority where a client has one.
    package init(
        vault: SimulatedVault = SimulatedVault(), fault: TransportFault = .none,
        requireClientCertificate: Bool = false, askForClientCertificate: Bool = false,
        followsClock: Bool = false,
        port: UInt16 = 0,
        identity: ((LoopbackPKI) throws -> Identity)? = nil
    ) throws {
        let pki = try LoopbackPKI()
        self.pki = pki
        var options = VaultListener.Options(identity: try (identity ?? { try $0.server() })(pki))
        options.fault = fault
        options.port = port
        options.followsClock = followsClock
        if requireClientCertificate || askForClientCertificate {
            options.clientAuthorityPEM = pki.authority.certificatePEM
        }
        options.isClientCertificateRequired = requireClientCertificate
        directory = try Self.makeDirectory()
        authorityFile = directory + "/authority.pem"
        listener = try VaultListener(vault: vault, options: options)
        try Self.write(pki.authority.certificatePEM, to: authorityFile)
    }

    deinit {
        listener.stop()
        Self.remove(directory)
    }

    /// Writes a file only its owner may read; returns its path.
    package func file(_ name: String, _ text: String) throws -> String {
        let path = "\(directory)/\(name)"
        try Self.write(text, to: path)
        return path
    }

    private static func makeDirectory() throws -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/cloudtaser-vault-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw VaultListenerFailure(call: "mkdtemp", errorNumber: errno)
        }
        return template.withUnsafeBufferPointer { bytes in
            bytes.baseAddress.map { String(cString: $0) } ?? ""
        }
    }

    /// Creates or replaces a file with mode 0600.
    package static func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw VaultListenerFailure(call: "open \(path)", errorNumber: errno)
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset)
            }
            guard count > 0 else {
                throw VaultListenerFailure(call: "write \(path)", errorNumber: errno)
            }
            offset += count
        }
    }

    /// Removes a directory of plain files.
    private static func remove(_ directory: String) {
        guard let stream = opendir(directory) else { return }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { unlink("\(directory)/\(name)") }
        }
        closedir(stream)
        rmdir(directory)
    }
}
