// SPDX-License-Identifier: Apache-2.0

/// What a field may hold.
package indirect enum EventShape: Sendable {
    case number(ClosedRange<Int64>)
    /// `EventValue.decimal`.
    case decimal
    case boolean
    /// `EventText` of so many bytes.
    case text(bytesMax: Int)
    /// ASCII that matches the pattern (ECMA 262), of so many characters.
    case pattern(String, charactersMax: Int)
    case word([String])
    case object([EventFieldDescription])

    static let unsigned32 = EventShape.number(0...Int64(UInt32.max))
    static let signed32 = EventShape.number(Int64(Int32.min)...Int64(Int32.max))
    static let hash = EventShape.pattern("^[0-9a-f]{64}$", charactersMax: 64)

    static func words<Word: CaseIterable & RawRepresentable<String>>(_: Word.Type) -> EventShape {
        .word(Word.allCases.map(\.rawValue))
    }

    /// Most bytes that a value of this shape takes in a line.
    package var bytesMax: Int {
        switch self {
        case .number(let range):
            max(String(range.lowerBound).utf8.count, String(range.upperBound).utf8.count)
        case .decimal: 2 + String(UInt64.max).utf8.count
        case .boolean: 5
        // `\xNN` with the backslash doubled, and the mark of a cut.
        case .text(let bytesMax): 2 + 5 * bytesMax + 3 + 20
        case .pattern(_, let charactersMax): 2 + charactersMax
        case .word(let words): 2 + (words.map(\.utf8.count).max() ?? 0)
        case .object(let fields):
            // Braces, and for each member quotes, a colon and a comma.
            2 + fields.reduce(0) { $0 + $1.name.utf8.count + 4 + $1.shape.bytesMax }
        }
    }
}

/// A field as the schema and the reference page tell of it.
package struct EventFieldDescription: Sendable {
    package let name: String
    package let shape: EventShape
    /// Fields that are not required are left out when they are not known.
    package let isRequired: Bool
    /// A phrase for people, units included.
    package let meaning: String
}

/// A field together with how its value is had from a `Subject`. The one table of these is what
/// the writer, the schema and the reference page are made from, so they cannot differ.
struct EventField<Subject>: Sendable {
    let description: EventFieldDescription
    let value: @Sendable (Subject) -> EventValue?

    private init(
        _ name: String, _ shape: EventShape, isRequired: Bool, _ meaning: String,
        _ value: @escaping @Sendable (Subject) -> EventValue?
    ) {
        description = EventFieldDescription(
            name: name, shape: shape, isRequired: isRequired, meaning: meaning)
        self.value = value
    }

    /// A field that is always there.
    static func always(
        _ name: String, _ shape: EventShape, _ meaning: String,
        _ value: @escaping @Sendable (Subject) -> EventValue
    ) -> Self {
        Self(name, shape, isRequired: true, meaning, value)
    }

    /// A field that is there when it is known.
    static func known(
        _ name: String, _ shape: EventShape, _ meaning: String,
        _ value: @escaping @Sendable (Subject) -> EventValue?
    ) -> Self {
        Self(name, shape, isRequired: false, meaning, value)
    }

    /// An object of further fields.
    static func group<Part>(
        _ name: String, isRequired: Bool = false, _ meaning: String, _ fields: [EventField<Part>],
        _ part: @escaping @Sendable (Subject) -> Part?
    ) -> Self {
        Self(name, .object(fields.map(\.description)), isRequired: isRequired, meaning) { subject in
            part(subject).map { EventField<Part>.object(fields, of: $0) }
        }
    }

    static func object(_ fields: [EventField], of subject: Subject) -> EventValue {
        .object(
            fields.compactMap { field in
                field.value(subject).map { (field.description.name, $0) }
            })
    }
}
