// SPDX-License-Identifier: Apache-2.0
package import S3Format

/// What holds for all requests of one proxy.
package struct S3ProxyPolicy: Sendable {
    /// Clients sign for it.
    package var region: String
    package var rules = S3Rules()
    /// Part of every object's context: objects of one tenant are not opened for another.
    package var tenant = ""
    package var keys: KeyRingSettings
    /// Objects that may be there unsealed.
    package var passThrough: [PassThrough] = []
    /// Requests under way at the same time; more are told to come later.
    package var requestsMax = 256
    /// Of documents (deletions, completions, settings) of all requests together; one has
    /// `S3Limits.documentBytesMax` at most.
    package var documentBytesMax = 4 * S3Limits.documentBytesMax
    /// Of one request's content, before it is sealed. S3's own bound for one request is 5 GiB.
    package var bodyBytesMax = S3Limits.partBytesMax
    /// What the store takes at least for a part that is not the last (bytes). Less where the store
    /// takes less, as a simulated one does.
    package var partBytesMin = S3Limits.partBytesMin
    /// What the store knows of S3.
    package var dialect = Dialect.full
    /// How long work may go on before a space keeps the client waiting.
    package var keepAlivePause = Duration.seconds(10)

    package enum Dialect: String, Sendable, Hashable, CaseIterable {
        /// As Amazon's: tags of objects in parts end with their number, and what is not known is
        /// refused.
        case full
        /// Objects, lists and uploads only. Tags do not tell parts, so a list looks at each object
        /// once. A parameter that asks for tags or access lists may be overlooked, and the object
        /// overwritten by a document: none of them is sent.
        case simple
    }

    package init(region: String, keys: KeyRingSettings) {
        self.region = region
        self.keys = keys
    }
}

/// Which keys wrap data keys, and how long they are held.
package struct KeyRingSettings: Sendable, Hashable {
    package enum Mode: String, Sendable, Hashable, CaseIterable {
        /// The vault wraps a key for each bucket and hour, which wraps data keys here (mode B).
        case epoch
        /// The vault wraps each object's data key (mode A).
        case object
    }

    package var mode = Mode.epoch
    /// Name of the vault's transit key.
    package var transitKey: String
    /// How long new objects are wrapped under one epoch key.
    package var epochTime = Duration.seconds(3600)
    /// A key that wraps new data keys was made by the vault, or confirmed by it, no longer ago than
    /// this: a vault that is sealed or refuses ends writing within it.
    package var confirmationTime = Duration.seconds(300)
    /// A key that was fetched to read is forgotten after this: a vault that is sealed or refuses
    /// ends reading within it.
    package var lifetime = Duration.seconds(3600)
    package var entriesMax = 4096

    package init(transitKey: String) { self.transitKey = transitKey }
}
