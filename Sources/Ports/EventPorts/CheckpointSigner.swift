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

    /// For people.
    package var text: String {
        switch self {
        case .keyUnreadable(let path, let number): "\(path): not readable (error \(number))"
        case .keyExposed(let path): "\(path): must be the agent's own, and closed to others"
        case .keyUnsuitable(let path): "\(path): no Ed25519 key"
        case .unavailable(let reason): reason
        case .refused: "the key's owner refused to sign"
        }
    }
}

/// What became of a request to sign.
package enum CheckpointAnswer: Sendable, Equatable {
    case signed(CheckpointKey, signature: [UInt8])
    case failed(CheckpointFailure)
}

/// Signs the event log's checkpoints: with a key from a file, or in a vault's transit engine.
///
/// Contract:
/// - There is one request at a time: `request` is followed by `take` until an answer came.
/// - An answer is the 64 bytes of an Ed25519 signature (RFC 8032) over the message itself, with the
///   key that made it, or a failure. Every request is answered at some time.
/// - Neither call waits, but for `take` as long as it was told to. A failure never stops events:
///   the lines go on unsigned, and the verifier shows how many.
package protocol CheckpointSigner: ~Copyable {
    mutating func request(_ message: [UInt8])
    /// nil: the answer is not there yet.
    mutating func take(within duration: Duration) -> CheckpointAnswer?
}
