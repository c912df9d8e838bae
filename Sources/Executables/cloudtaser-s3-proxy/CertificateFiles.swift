// SPDX-License-Identifier: Apache-2.0
import Foundation
import KubernetesPorts
import ObjectServer
import Ports

/// A certificate chain and its key in PEM files, which somebody renews.
struct CertificateFiles: Sendable {
    struct Content: Equatable {
        let certificates: [UInt8]
        let key: [UInt8]
    }

    static let bytesMax = 1 << 20
    /// Between two looks.
    static let pause = Duration.seconds(2)

    let certificatePath: String
    let keyPath: String

    var unusable: String {
        "\(certificatePath) and \(keyPath) are no certificate and its key in PEM"
    }

    func read() throws(StartFailure) -> Content {
        Content(certificates: try Self.read(certificatePath), key: try Self.read(keyPath))
    }

    private static func read(_ path: String) throws(StartFailure) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartFailure(text: "\(path) cannot be read; name a PEM file")
        }
        guard !data.isEmpty, data.count <= bytesMax else {
            throw StartFailure(
                text: "\(path) is empty or larger than \(bytesMax) bytes; name a PEM file")
        }
        return Array(data)
    }

    func identity(_ content: Content) throws(StartFailure) -> TLSIdentity {
        do throws(ObjectServerFailure) {
            return try TLSIdentity(certificates: content.certificates, key: content.key)
        } catch { throw StartFailure(text: unusable) }
    }

    /// Hands changed files to `identity` until the task is cancelled. What cannot be used is told
    /// once, and what was there goes on.
    func follow(
        _ identity: TLSIdentity, from first: Content, clock: any AsyncTimeSource,
        log: S3ProxyLog
    ) async {
        var last = first
        while !Task.isCancelled {
            await clock.sleep(for: Self.pause)
            // The two are written one after the other: the next look sees both.
            guard let content = try? read(), content != last else { continue }
            last = content
            do throws(ObjectServerFailure) {
                try identity.replace(certificates: content.certificates, key: content.key)
                log.write(.notice, "certificate_replaced", "a new certificate is in use")
            } catch {
                log.write(
                    .error, "certificate_unusable", unusable + "; the old one stays in use")
            }
        }
    }
}
