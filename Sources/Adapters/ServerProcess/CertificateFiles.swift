// SPDX-License-Identifier: Apache-2.0
internal import Foundation
package import KubernetesPorts
internal import Ports

/// A certificate chain and its key in PEM files, which somebody renews.
package struct CertificateFiles: Sendable {
    package struct Content: Sendable, Equatable {
        package let certificates: [UInt8]
        package let key: [UInt8]

        package init(certificates: [UInt8], key: [UInt8]) {
            self.certificates = certificates
            self.key = key
        }
    }

    package static let bytesMax = 1 << 20
    /// Between two looks.
    static let pause = Duration.seconds(2)

    private let certificatePath: String
    private let keyPath: String

    package init(certificatePath: String, keyPath: String) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }

    package var unusable: String {
        "\(certificatePath) and \(keyPath) are no certificate and its key in PEM"
    }

    package func read() throws(StartFailure) -> Content {
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

    /// Has changed files served until the task is cancelled. What cannot be used is told once, and
    /// what was there goes on.
    ///
    /// - Parameter serve: says whether it can be used.
    package func follow(
        from first: Content, clock: any AsyncTimeSource, log: ProgramLog,
        serve: (Content) -> Bool
    ) async {
        var last = first
        while !Task.isCancelled {
            await clock.sleep(for: Self.pause)
            // The two are written one after the other: the next look sees both.
            guard let content = try? read(), content != last else { continue }
            last = content
            if serve(content) {
                log.write(.notice, "certificate_replaced", "a new certificate is in use")
            } else {
                log.write(
                    .error, "certificate_unusable", unusable + "; the old one stays in use")
            }
        }
    }
}
