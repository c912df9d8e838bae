// SPDX-License-Identifier: Apache-2.0
package import EnforcementEvents

/// Why a checkpoint could not be signed.
package enum CheckpointFailure: Error, Sendable, Equatable {
    /// The key's file cannot be read.
    case keyUnreadable(path: String, errorNumber: Int32)
    /// The file's owner or mode would let others read the key: it must be the agent's own and
    /// closed to group and others.
    case keyExposed(path: String)
    /// What was read is no private key in PEM, or not one of Ed25519.
    case keyUnsuitable(path: String)
    /// The key is elsewhere and cannot be reached now; the next checkpoint tries again.
    case unavailable(reason: String)
    /// The library or the engine refused to sign.
    case refused
}

/// Signs the event log's checkpoints: with a key from a file, or in a vault's transit engine.
///
/// Contract:
/// - `sign` gives the 64 bytes of an Ed25519 signature (RFC 8032) over the message itself, made
///   with the key that `key` names, or throws and has no effect.
/// - It returns within the time its adapter was given. A failure never stops events: the lines go
///   on unsigned, and the verifier shows how many.
/// - `key` stays the same between two signatures unless the key was changed.
package protocol CheckpointSigner: ~Copyable {
    var key: CheckpointKey { get }
    mutating func sign(_ message: [UInt8]) throws(CheckpointFailure) -> [UInt8]
}
