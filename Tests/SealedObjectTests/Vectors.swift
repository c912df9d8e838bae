// SPDX-License-Identifier: Apache-2.0
import Foundation

/// One vector of Fixtures/ct1. Bytes are hexadecimal, sealed ones base64.
enum Vector: Codable {
    case segment(SegmentVector)
    case parts(PartsVector)
    case envelope(EnvelopeVector)
    case userMetadata(UserMetadataVector)
    case salamander(SalamanderVector)
    case failing(FailingVector)

    var name: String {
        switch self {
        case .segment(let vector): vector.name
        case .parts(let vector): vector.name
        case .envelope(let vector): vector.name
        case .userMetadata(let vector): vector.name
        case .salamander(let vector): vector.name
        case .failing(let vector): vector.name
        }
    }

    /// What other vectors take pieces of.
    var sealed: [UInt8]? {
        switch self {
        case .segment(let vector): vector.sealed.unbased
        case .parts(let vector): vector.sealed.unbased
        default: nil
        }
    }

    private enum Key: String, CodingKey { case form, byKey }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        if container.contains(.byKey) {
            self = .failing(try FailingVector(from: decoder))
            return
        }
        switch try container.decode(String.self, forKey: .form) {
        case "segment": self = .segment(try SegmentVector(from: decoder))
        case "parts": self = .parts(try PartsVector(from: decoder))
        case "envelope": self = .envelope(try EnvelopeVector(from: decoder))
        case "userMetadata": self = .userMetadata(try UserMetadataVector(from: decoder))
        case "salamander": self = .salamander(try SalamanderVector(from: decoder))
        default:
            throw DecodingError.dataCorruptedError(
                forKey: .form, in: container, debugDescription: "no form of vectors")
        }
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .segment(let vector): try vector.encode(to: encoder)
        case .parts(let vector): try vector.encode(to: encoder)
        case .envelope(let vector): try vector.encode(to: encoder)
        case .userMetadata(let vector): try vector.encode(to: encoder)
        case .salamander(let vector): try vector.encode(to: encoder)
        case .failing(let vector): try vector.encode(to: encoder)
        }
    }
}

struct SegmentVector: Codable {
    var name: String
    var form = "segment"
    var dataKey, salt, chunkKey, commitment: String
    var kind: UInt8
    var partNumber, plainBytes: Int
    var sealed: String
}

struct PartsVector: Codable {
    struct Part: Codable {
        var number, plainBytes: Int
        var salt: String
    }
    struct Digest: Codable {
        var kind: UInt8
        var digest: String
    }

    var name: String
    var form = "parts"
    var dataKey, metadataKey, footerSalt: String
    var layout: UInt8
    var upstreamParts: Int
    var parts: [Part]
    var digests: [Digest]
    var sealed: String
}

struct EnvelopeVector: Codable {
    var name: String
    var form = "envelope"
    var tenant, bucket, key, context, keyReference: String
    var kind: UInt8
    /// Of a whole object.
    var salt, commitment: String?
    /// Of mode A.
    var ciphertext: String?
    /// Of mode B.
    var dataKey, epochKey, wrapSalt: String?
    var text: String
}

struct UserMetadataVector: Codable {
    var name: String
    var form = "userMetadata"
    var dataKey, salt, context: String
    var pairs: [[String]]
    var text: String
}

struct SalamanderVector: Codable {
    var name: String
    var form = "salamander"
    var dataKey, otherKey, salt, chunkKey, otherChunkKey, sealed: String
}

/// What has to be refused.
struct FailingVector: Codable {
    /// Bytes, or a piece of another vector's sealed bytes.
    struct Piece: Codable {
        var hex: String?
        var of: String?
        var from, to: Int?
    }

    var name: String
    /// Number in the list of attacks of docs/reference/ct1.md.
    var attack: Int
    var form: String
    /// Whether it is found out by a key only: then it must not be told from others.
    var byKey: Bool
    var pieces: [Piece]?
    var dataKey: String?
    var kind: UInt8?
    var partNumber, upstreamParts: Int?
    var tenant, bucket, key, epochKey, text: String?

    func bytes(_ vectors: [String: Vector]) -> [UInt8] {
        (pieces ?? []).flatMap { piece -> [UInt8] in
            if let hex = piece.hex { return hex.unhexed }
            let base = vectors[piece.of ?? ""]?.sealed ?? []
            return Array(base[(piece.from ?? 0)..<(piece.to ?? base.count)])
        }
    }
}

struct VectorFile: Codable {
    var vectors: [Vector]

    /// Fixtures/ct1 of this checkout.
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/ct1", directoryHint: .isDirectory)

    init(_ vectors: [Vector]) { self.vectors = vectors }

    /// The committed file.
    init(named name: String) throws {
        self = try JSONDecoder().decode(
            VectorFile.self, from: Data(contentsOf: Self.folder.appending(path: name)))
    }

    var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return try encoder.encode(self) + Data("\n".utf8)
        }
    }
}

extension String {
    var unhexed: [UInt8] {
        let digits = utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(digits[$0] << 4 | digits[$0 + 1])
        }
    }

    var unbased: [UInt8] { Array(Data(base64Encoded: self) ?? Data()) }
}

extension [UInt8] {
    var hex: String {
        map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    var based: String { Data(self).base64EncodedString() }
}
