// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat

/// Why a package cannot be made: what is wrong with which file or option, and what to do.
package enum PackageFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case inputMalformed(file: String, detail: String)
    case slotUnknown(slot: String, known: [String])
    case scenarioUnknown(id: String, known: [String])
    case slotRepeated(slot: String)
    case periodEmpty(from: EvidenceDay, to: EvidenceDay)
    case periodTooLong(days: Int)
    case fileNameUnsuitable(name: String)
    case fileRepeated(path: String)
    case documentsUnsound(faults: [String])

    package var description: String {
        switch self {
        case .inputMalformed(let file, let detail): "\(Plain.line(file)): \(Plain.line(detail))"
        case .slotUnknown(let slot, let known):
            "the slot '\(Plain.line(slot))' is not in this package; slots are "
                + known.joined(separator: ", ")
        case .scenarioUnknown(let id, let known):
            "the scenario '\(Plain.line(id))' is not in the catalogue; scenarios are "
                + known.joined(separator: ", ")
        case .slotRepeated(let slot):
            "the slot '\(Plain.line(slot))' is filled twice; leave one entry"
        case .periodEmpty(let from, let to): "the period ends on \(to), before \(from)"
        case .periodTooLong(let days):
            "the period has \(days) days; at most \(PackageRequest.daysMax), make several packages"
        case .fileNameUnsuitable(let name):
            "'\(Plain.line(name))' cannot be a file's name in a package; use letters, digits, "
                + "'.', '-', '_', '@' and '+'"
        case .fileRepeated(let path): "\(Plain.line(path)): two files would have this name"
        case .documentsUnsound(let faults):
            "the OSCAL documents do not hold together: " + faults.joined(separator: "; ")
        }
    }
}

/// Text from files, for terminals and pages.
package enum Plain {
    /// One line: control and format characters become U+FFFD.
    package static func line(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
            default: scalar
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}

enum PackageInput {
    static func tree(_ json: [UInt8], _ file: String) throws(PackageFailure) -> JSONTree {
        do throws(JSONTree.Failure) { return try JSONTree(json) } catch {
            throw .inputMalformed(file: file, detail: "no JSON that can be read: \(error)")
        }
    }
}
