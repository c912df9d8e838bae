// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Why what a registry sent is no image, in words without its content.
package struct ImageFormatFailure: Error, Sendable, Equatable {
    package let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// A machine that an image is for
/// (https://github.com/opencontainers/image-spec/blob/main/config.md).
package struct ImagePlatform: Sendable, Hashable {
    package let system: String
    package let architecture: String
    /// Empty: none.
    package let variant: String

    package init(system: String, architecture: String, variant: String = "") {
        self.system = system
        self.architecture = architecture
        self.variant = variant
    }
}

/// Names other content by its digest.
package struct ImageDescriptor: Sendable, Hashable {
    package let mediaType: String
    package let digest: ImageDigest
    /// Bytes of the content.
    package let size: Int
    package let platform: ImagePlatform?
}

/// What a registry has behind a tag or digest: an image for one platform, or for several.
package enum ImageDocument: Sendable, Equatable {
    /// Attestations left out: they are no images.
    case index([ImageDescriptor])
    case manifest(config: ImageDescriptor)

    static let indexTypes = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
    static let manifestTypes = [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
    static let configTypes = [
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    ]
    /// What is asked for. A registry that has another form only says so.
    package static let mediaTypes = indexTypes + manifestTypes
    /// On an index's entry that is no image (BuildKit).
    static let attestationAnnotation = "vnd.docker.reference.type"

    /// - Parameter contentType: that it was sent with.
    package init(_ bytes: [UInt8], contentType: String?) throws(ImageFormatFailure) {
        guard bytes.count <= ImageLimits.manifestBytesMax else {
            throw ImageFormatFailure(
                "its manifest is larger than \(ImageLimits.manifestBytesMax) bytes")
        }
        let root = try GoObject(bytes, "its manifest")
        let schema = try root.member("schemaVersion")
        guard schema?.wholeNumber == 2 else {
            throw ImageFormatFailure("its manifest is not of schema 2; push it anew")
        }
        let type = try Self.type(said: try root.text("mediaType"), sent: contentType)
        let manifests = try root.member("manifests")
        let config = try root.member("config")
        let layers = try root.member("layers")
        // What is both is read as one thing by some and as the other by others (CVE-2021-41190).
        guard manifests == nil || (config == nil && layers == nil) else {
            throw ImageFormatFailure("its manifest is an index and an image at once")
        }
        let isIndex = type.map { Self.indexTypes.contains($0) } ?? (manifests != nil)
        if isIndex {
            guard let entries = manifests?.elements else {
                throw ImageFormatFailure("its index names no manifests")
            }
            self = .index(try Self.images(of: entries))
        } else {
            guard let config else { throw ImageFormatFailure("its manifest names no config") }
            let descriptor = try Self.descriptor(GoObject(config, "its config's descriptor"))
            guard Self.configTypes.contains(descriptor.mediaType) else {
                throw ImageFormatFailure("it is no image, but something else in a registry")
            }
            self = .manifest(config: descriptor)
        }
    }

    /// - Returns: nil: neither says one.
    private static func type(
        said: String?, sent: String?
    ) throws(ImageFormatFailure) -> String? {
        // Behind a semicolon stand parameters. Some servers send JSON's own type or none.
        let plain = sent.map { sent in
            sent.prefix { $0 != ";" }.split(separator: " ").joined().lowercased()
        }
        let known = plain.flatMap { mediaTypes.contains($0) ? $0 : nil }
        if let said, !mediaTypes.contains(said) {
            throw ImageFormatFailure("its manifest is of a form that is not known")
        }
        if let said, let known, said != known {
            throw ImageFormatFailure("its manifest says that it is of another form than was sent")
        }
        return said ?? known
    }

    private static func images(
        of entries: [JSONTree]
    ) throws(ImageFormatFailure) -> [ImageDescriptor] {
        guard entries.count <= ImageLimits.indexEntriesMax else {
            throw ImageFormatFailure(
                "its index names more than \(ImageLimits.indexEntriesMax) manifests")
        }
        var images: [ImageDescriptor] = []
        for entry in entries {
            let object = try GoObject(entry, "an entry of its index")
            let annotation = try object.object("annotations")?.text(attestationAnnotation)
            let descriptor = try descriptor(object)
            let isUnknown =
                descriptor.platform?.system == "unknown"
                && descriptor.platform?.architecture == "unknown"
            guard annotation == nil, !isUnknown else { continue }
            images.append(descriptor)
        }
        return images
    }

    private static func descriptor(
        _ object: GoObject
    ) throws(ImageFormatFailure) -> ImageDescriptor {
        guard let type = try object.text("mediaType"),
            let size = try object.member("size")?.wholeNumber, size >= 0,
            let digest = try object.text("digest").flatMap({ ImageDigest($0) })
        else {
            throw ImageFormatFailure("\(object.name) has no type, size or sha256 digest")
        }
        return ImageDescriptor(
            mediaType: type, digest: digest, size: size,
            platform: try object.object("platform").flatMap(platform))
    }

    static func platform(_ object: GoObject) throws(ImageFormatFailure) -> ImagePlatform? {
        let system = try object.text("os") ?? ""
        let architecture = try object.text("architecture") ?? ""
        guard !system.isEmpty, !architecture.isEmpty else { return nil }
        return ImagePlatform(
            system: system, architecture: architecture,
            variant: try object.text("variant") ?? "")
    }
}

/// What an image starts, from its config.
package struct ImageConfig: Sendable, Equatable {
    /// nil: it does not say.
    package let platform: ImagePlatform?
    package let entrypoint: [String]
    package let command: [String]

    package init(_ bytes: [UInt8]) throws(ImageFormatFailure) {
        guard bytes.count <= ImageLimits.configBytesMax else {
            throw ImageFormatFailure(
                "its config is larger than \(ImageLimits.configBytesMax) bytes")
        }
        let root = try GoObject(bytes, "its config")
        platform = try ImageDocument.platform(root)
        let config = try root.object("config")
        entrypoint = try config?.texts("Entrypoint") ?? []
        command = try config?.texts("Cmd") ?? []
        let words = entrypoint + command
        guard words.count <= ImageLimits.commandWordsMax,
            words.reduce(0, { $0 + $1.utf8.count }) <= ImageLimits.commandBytesMax
        else {
            throw ImageFormatFailure(
                "its command has more than \(ImageLimits.commandWordsMax) words or "
                    + "\(ImageLimits.commandBytesMax) bytes")
        }
        guard words.allSatisfy({ !$0.utf8.contains(0) }) else {
            throw ImageFormatFailure("its command has a zero byte")
        }
    }
}

/// An object as Go's encoding/json reads it into a struct, which container runtimes do: names
/// regardless of case, null as if it were not there. Two names that differ by case only are
/// refused.
struct GoObject {
    private let members: [JSONTree.Member]
    /// For failures: `its manifest`.
    let name: String

    init(_ bytes: [UInt8], _ name: String) throws(ImageFormatFailure) {
        guard let tree = try? JSONTree(bytes) else {
            throw ImageFormatFailure("\(name) is no JSON, or has a member twice")
        }
        try self.init(tree, name)
    }

    init(_ tree: JSONTree, _ name: String) throws(ImageFormatFailure) {
        guard let members = tree.members else {
            throw ImageFormatFailure("\(name) is no object")
        }
        self.members = members
        self.name = name
    }

    func member(_ wanted: String) throws(ImageFormatFailure) -> JSONTree? {
        let lowercased = wanted.lowercased()
        let found = members.filter { $0.name.lowercased() == lowercased }
        guard found.count <= 1 else {
            throw ImageFormatFailure("\(name) has '\(wanted)' twice")
        }
        guard let value = found.first?.value, value != .null else { return nil }
        return value
    }

    func object(_ wanted: String) throws(ImageFormatFailure) -> GoObject? {
        guard let value = try member(wanted) else { return nil }
        return try GoObject(value, "'\(wanted)' of \(name)")
    }

    func text(_ wanted: String) throws(ImageFormatFailure) -> String? {
        guard let value = try member(wanted) else { return nil }
        guard let text = value.text else {
            throw ImageFormatFailure("'\(wanted)' of \(name) is no text")
        }
        return text
    }

    func texts(_ wanted: String) throws(ImageFormatFailure) -> [String]? {
        guard let value = try member(wanted) else { return nil }
        guard let elements = value.elements else {
            throw ImageFormatFailure("'\(wanted)' of \(name) is no list")
        }
        let texts = elements.compactMap(\.text)
        guard texts.count == elements.count else {
            throw ImageFormatFailure("'\(wanted)' of \(name) has what is no text")
        }
        return texts
    }
}
