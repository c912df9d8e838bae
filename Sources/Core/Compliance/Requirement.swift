// SPDX-License-Identifier: Apache-2.0

/// A part of the product that a row is about.
package enum Component: String, Codable, Sendable, CaseIterable {
    case `operator`, wrapper, ebpf, s3proxy, cli
    /// Not a part of the product, and named where the row depends on it.
    case vault, customer
}

/// Evidence that is the customer's and that no test of ours can stand for.
package enum CustomerDocument: String, Codable, Sendable, CaseIterable {
    /// A policy, register, contract or decision, with an owner and a date.
    case document = "MAN-DOC"
    /// The exporter's transfer impact assessment and declared deployment scenario.
    case assessment = "MAN-TIA"
}

/// Where a row comes from.
package enum Origin: String, Codable, Sendable {
    /// The mapping that users were shown first.
    case seed
    /// Missing there, and added after reading the provisions.
    case added
}

/// One provision of a framework.
package struct Requirement: Codable, Sendable, Equatable {
    package let id: String
    package let framework: String
    /// Article, annex or control number.
    package let reference: String
    package let title: String
    /// The provision in our own words.
    package let text: String
    package let status: Status
    /// Ids of claims; may be empty only for `manual` and `none`.
    package let claims: [String]
    package let origin: Origin
    /// What the product may say about this provision, and no more.
    package let permittedClaim: String
    /// What is left to the customer.
    package let duty: String
    /// What the first mapping said wrong; nil: nothing, or it had no such row.
    package let correction: String?
    package let components: [Component]
    package let manual: [CustomerDocument]
    /// Ids of limitations beside those of the claims.
    package let limitations: [String]

    package init(
        id: String, framework: String, reference: String, title: String, text: String,
        status: Status, claims: [String], origin: Origin = .seed, permittedClaim: String = "",
        duty: String = "", correction: String? = nil, components: [Component] = [],
        manual: [CustomerDocument] = [], limitations: [String] = []
    ) {
        self.id = id
        self.framework = framework
        self.reference = reference
        self.title = title
        self.text = text
        self.status = status
        self.claims = claims
        self.origin = origin
        self.permittedClaim = permittedClaim
        self.duty = duty
        self.correction = correction
        self.components = components
        self.manual = manual
        self.limitations = limitations
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func list<Element: Decodable>(_ key: CodingKeys) throws -> [Element] {
            try values.decodeIfPresent([Element].self, forKey: key) ?? []
        }
        func text(_ key: CodingKeys) throws -> String {
            try values.decode(String.self, forKey: key)
        }
        self.init(
            id: try text(.id), framework: try text(.framework), reference: try text(.reference),
            title: try text(.title), text: try text(.text),
            status: try values.decode(Status.self, forKey: .status),
            claims: try values.decode([String].self, forKey: .claims),
            origin: try values.decodeIfPresent(Origin.self, forKey: .origin) ?? .seed,
            permittedClaim: try values.decodeIfPresent(String.self, forKey: .permittedClaim) ?? "",
            duty: try values.decodeIfPresent(String.self, forKey: .duty) ?? "",
            correction: try values.decodeIfPresent(String.self, forKey: .correction),
            components: try list(.components), manual: try list(.manual),
            limitations: try list(.limitations))
    }
}
