// SPDX-License-Identifier: Apache-2.0
import MemoryScan

/// JSON text, keys in the order given. Holds no secret.
indirect enum JSONText {
    case object([(String, JSONText)])
    case array([JSONText])
    case string(String)
    case number(Int)
    case bool(Bool)

    var text: String {
        switch self {
        case .object(let members):
            "{" + members.map { Self.quoted($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
        case .array(let items): "[" + items.map(\.text).joined(separator: ",") + "]"
        case .string(let value): Self.quoted(value)
        case .number(let value): String(value)
        case .bool(let value): value ? "true" : "false"
        }
    }

    private static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            default:
                text +=
                    scalar.value < 32
                    ? "\\u00" + (scalar.value < 16 ? "0" : "")
                        + String(scalar.value, radix: 16) : String(scalar)
            }
        }
        return text + "\""
    }
}

extension HeapScanner.Report {
    /// - Parameter phase: when the scan was made.
    func json(phase: String) -> JSONText {
        let found = hits.map { hit in
            JSONText.object([
                ("needle", .string(hit.needle)), ("form", .string(hit.form.rawValue)),
                ("mapping", .string(hit.mapping)),
                ("address", .string(String(hit.address, radix: 16))),
            ])
        }
        let secret = secretBytes.sorted { $0.key < $1.key }.map {
            ($0.key, JSONText.number($0.value))
        }
        return .object([
            ("phase", .string(phase)), ("hits", .array(found)),
            ("scannedBytes", .number(scannedBytes)),
            ("scannedMappings", .number(scannedMappings)), ("secretBytes", .object(secret)),
            ("unreadable", .array(unreadable.map { .string($0) })),
        ])
    }
}
