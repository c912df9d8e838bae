// SPDX-License-Identifier: Apache-2.0

/// Why a package could not be signed or a key not be used.
package enum SigningFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case keyUnreadable(path: String, errorNumber: Int32)
    case keyExposed(path: String)
    case keyUnsuitable(path: String)
    case keyNotWritten(path: String, errorNumber: Int32)
    case keyNotMade
    case refused
    case commandFailed(status: Int32)
    case commandNotStarted(detail: String)
    case answerTooLong(bytesMax: Int)
    /// What came back verifies with another key, or with none.
    case answerInvalid

    package var description: String {
        switch self {
        case .keyUnreadable(let path, let number):
            "\(path): the key cannot be read (error \(number))"
        case .keyExposed(let path):
            "\(path): others than its owner may read or write the key; chmod 600, owned by the "
                + "user who signs"
        case .keyUnsuitable(let path):
            "\(path): no PEM file of an Ed25519 or P-256 key without a passphrase; "
                + "`cloudtaser evidence keygen` makes one"
        case .keyNotWritten(let path, let number):
            number == 17
                ? "\(path): is there already and is not overwritten; choose another folder"
                : "\(path): the key cannot be written (error \(number))"
        case .keyNotMade: "libcrypto made no key"
        case .refused: "libcrypto refused to sign"
        case .commandFailed(let status): "the signing command ended with \(status)"
        case .commandNotStarted(let detail): "the signing command did not start (\(detail))"
        case .answerTooLong(let bytesMax):
            "the signing command wrote more than \(bytesMax) bytes; it must write the raw "
                + "signature and nothing else"
        case .answerInvalid:
            "what the signing command wrote is no signature of the public key; it must be the raw "
                + "64 bytes for Ed25519, DER for P-256"
        }
    }
}
