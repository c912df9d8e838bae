// SPDX-License-Identifier: Apache-2.0
internal import CryptoHasher
package import ImageFormat
package import KubernetesFormat

/// Where images can be put.
package protocol ImageDestination: Sendable {
    func pushBlob(_ bytes: [UInt8], to name: String) async throws
    /// - Parameter tag: nil: only its digest leads to it.
    func pushManifest(_ bytes: [UInt8], type: String, tag: String?, to name: String) async throws
}

/// The two families of forms.
package enum ImageForm: CaseIterable, Sendable {
    case docker, oci

    package var index: String {
        self == .oci
            ? "application/vnd.oci.image.index.v1+json"
            : "application/vnd.docker.distribution.manifest.list.v2+json"
    }
    package var manifest: String {
        self == .oci
            ? "application/vnd.oci.image.manifest.v1+json"
            : "application/vnd.docker.distribution.manifest.v2+json"
    }
    package var config: String {
        self == .oci
            ? "application/vnd.oci.image.config.v1+json"
            : "application/vnd.docker.container.image.v1+json"
    }
}

/// An image as a registry has it.
package struct StockImage: Sendable {
    package var architecture = "amd64"
    package var variant: String?
    package var entrypoint: [String]
    package var command: [String]
    package var form = ImageForm.oci
    /// As BuildKit marks what is no image.
    package var isAttestation = false

    package init(entrypoint: [String], command: [String] = []) {
        self.entrypoint = entrypoint
        self.command = command
    }

    package static let attestation: StockImage = {
        var image = StockImage(entrypoint: ["/never"])
        image.isAttestation = true
        return image
    }()

    private var platform: JSONTree {
        guard !isAttestation else { return ["os": "unknown", "architecture": "unknown"] }
        var platform: JSONTree = ["os": "linux", "architecture": .string(architecture)]
        if let variant { platform["variant"] = .string(variant) }
        return platform
    }

    private func descriptor(_ bytes: [UInt8], _ type: String) -> JSONTree {
        let digest = ImageDigest(of: bytes, CryptoHasher())
        return [
            "mediaType": .string(type), "size": .number(String(bytes.count)),
            "digest": .string(digest.description),
        ]
    }

    /// - Parameter tag: nil: it is part of an index.
    /// - Returns: its entry in an index.
    @discardableResult
    package func push(
        to bench: some ImageDestination, _ name: String, tag: String? = nil
    ) async throws -> JSONTree {
        var config = platform
        config["config"] = [
            "Entrypoint": .array(entrypoint.map { .string($0) }),
            "Cmd": .array(command.map { .string($0) }),
        ]
        let configBytes = config.rendered()
        let manifest: JSONTree = [
            "schemaVersion": 2, "mediaType": .string(form.manifest),
            "config": descriptor(configBytes, form.config), "layers": [],
        ]
        let bytes = manifest.rendered()
        try await bench.pushBlob(configBytes, to: name)
        try await bench.pushManifest(bytes, type: form.manifest, tag: tag, to: name)
        var entry = descriptor(bytes, form.manifest)
        entry["platform"] = platform
        if isAttestation {
            entry["annotations"] = ["vnd.docker.reference.type": "attestation-manifest"]
        }
        return entry
    }

    /// - Returns: the index's digest.
    @discardableResult
    package static func pushIndex(
        _ images: [StockImage], to bench: some ImageDestination, _ name: String, tag: String
    ) async throws -> ImageDigest {
        let form = images.first?.form ?? .oci
        var entries: [JSONTree] = []
        for image in images { entries.append(try await image.push(to: bench, name)) }
        let index: JSONTree = [
            "schemaVersion": 2, "mediaType": .string(form.index), "manifests": .array(entries),
        ]
        let bytes = index.rendered()
        try await bench.pushManifest(bytes, type: form.index, tag: tag, to: name)
        return ImageDigest(of: bytes, CryptoHasher())
    }
}
