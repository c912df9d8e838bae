// SPDX-License-Identifier: Apache-2.0
package import ObjectKeyPorts
package import ObjectStorePorts
package import Ports
package import SealedObject

/// Why an object's key cannot be had. Nothing is stored or read without it.
package enum KeyFailure: Error, Sendable, Equatable {
    case custody(KeyCustodyFailure)
    /// The table of epoch keys, which stands in the bucket.
    case table(ObjectStoreFailure)
    /// The object is wrapped under an epoch key that the bucket's table does not have.
    case epochKeyMissing
    /// The reference or the table's entry is not of our making.
    case epochKeyMalformed
    case sealed(SealedObjectFailure)
    case entropy(EntropyFailure)
    case cancelled

    /// The vault has given up the version of its key that wrapped it.
    var isGivenUp: Bool {
        if case .custody(.vault(.versionDeleted)) = self { true } else { false }
    }

    /// Whether the same may succeed a little later.
    package var isTransient: Bool {
        switch self {
        case .custody(let failure): failure.isTransient
        case .table(let failure): failure.isTransient
        case .sealed(let failure): failure.isTransient
        case .entropy, .cancelled: true
        case .epochKeyMissing, .epochKeyMalformed: false
        }
    }
}
