// SPDX-License-Identifier: Apache-2.0

/// Bounds of what comes from registries and of what names them.
package enum ImageLimits {
    /// Of a repository's name, without its host (distribution's `RepositoryNameTotalLengthMax`).
    package static let repositoryBytesMax = 255
    /// Of `host:port`: a name of DNS has 253.
    package static let hostBytesMax = 261
    package static let tagBytesMax = 128
    /// What the distribution specification has registries take.
    package static let manifestBytesMax = 4 << 20
    /// Of an image's config, which carries its history.
    package static let configBytesMax = 4 << 20
    /// Manifests that one index names.
    package static let indexEntriesMax = 256
    /// Words of ENTRYPOINT and CMD together.
    package static let commandWordsMax = 1024
    /// Bytes of those words.
    package static let commandBytesMax = 128 << 10
    /// Of one file of registry credentials.
    package static let credentialBytesMax = 1 << 20
    /// Registries in one such file.
    package static let credentialEntriesMax = 1024
    /// Of one `WWW-Authenticate`.
    package static let challengeBytesMax = 8 << 10
    package static let mirrorsMax = 64
}
