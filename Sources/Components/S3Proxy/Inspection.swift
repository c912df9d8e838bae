// SPDX-License-Identifier: Apache-2.0
package import ObjectStorePorts
internal import S3Format
internal import SealedObject

/// What an object shows of itself to whoever may read the store, without any key.
package struct Inspection: Sendable, Equatable {
    package enum Wrap: Sendable, Equatable {
        /// The vault wraps the data key (mode A), by this version of its key.
        case vault(version: String)
        /// A key of the bucket's table wraps it (mode B).
        case epoch
    }

    /// As stored.
    package let storedBytes: Int64
    /// nil: it is not sealed, for the reason `problem`.
    package var wrap: Wrap?
    package var keyReference: String?
    /// Uploaded in parts, with a footer.
    package var isInParts = false
    /// What the store's tag says.
    package var storedParts: Int?
    /// By arithmetic; of an object in parts only right when its parts are whole chunks.
    package var contentBytes: Int64?
    package var hasSealedHeaders = false
    /// Why the proxy will not open it; nil: nothing speaks against it before a key is tried.
    package var problem: String?

    /// By one HEAD.
    package init(
        _ version: ObjectVersion, in store: any ObjectStore
    ) async throws(ObjectStoreFailure) {
        self.init(try await store.head(version, .none))
    }

    init(_ head: ObjectHead) {
        storedBytes = head.size
        storedParts = ClientTag.parts(of: head.tag)
        hasSealedHeaders = head.attributes.metadata[SealedMetadata.headers] != nil
        let envelope: KeyEnvelope
        do throws(EnvelopeRefusal) {
            envelope = try KeyEnvelope(head.attributes.metadata[SealedMetadata.envelope])
        } catch {
            problem = error.text
            return
        }
        keyReference = envelope.keyReference
        switch envelope.wrap {
        case .vault(let ciphertext):
            let version = ciphertext.split(separator: ":").dropFirst().first ?? ""
            wrap = .vault(version: String(version))
        case .epoch: wrap = .epoch
        }
        isInParts = envelope.content == .parts
        let sealed = Int(clamping: head.size)
        if isInParts {
            contentBytes = storedParts.flatMap {
                FooterLayout.alignedPlainSize(ofSealed: sealed, upstreamParts: $0)
            }.map(Int64.init)
        } else {
            contentBytes = SegmentSize.plainSize(ofSealed: sealed).map(Int64.init)
            if contentBytes == nil { problem = "no sealed object has \(sealed) bytes" }
        }
    }

    /// For people, a line each.
    package var lines: [String] {
        var lines = ["stored bytes      \(storedBytes)"]
        guard let wrap, let keyReference else {
            return lines + ["sealed            no: \(problem ?? "unknown")"]
        }
        lines.append("sealed            yes, CT1 version 1, suite 1")
        switch wrap {
        case .vault(let version):
            lines.append("data key          wrapped by the vault's key \(keyReference), \(version)")
        case .epoch:
            lines.append("data key          wrapped by \(keyReference) of the bucket's table")
        }
        lines.append("content           " + (isInParts ? "in parts, with a footer" : "one segment"))
        if isInParts {
            lines.append("stored parts      " + (storedParts.map(String.init) ?? "not told"))
        }
        let size = contentBytes.map(String.init) ?? "not known without the key"
        lines.append("content bytes     \(size)" + (isInParts ? ", if parts are whole chunks" : ""))
        lines.append("sealed headers    " + (hasSealedHeaders ? "yes" : "none"))
        if let problem { lines.append("problem           \(problem)") }
        return lines
    }
}
