// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat

/// Bounds of a review.
package enum AdmissionLimits {
    /// Body of a request: two objects (the new and the old one) of at most 3 MiB, as the API
    /// server takes them, and what stands around them.
    package static let reviewBytesMax = 7 << 20
    package static let uidBytesMax = 128
    /// Of a name that is a DNS label (RFC 1123), such as a namespace's.
    package static let namespaceBytesMax = 63
    /// Of the text that tells why something was refused.
    package static let messageBytesMax = 4096
    /// The API server cuts longer ones off.
    package static let warningBytesMax = 256
    /// The API server leaves out what goes beyond 4096 characters together.
    package static let warningCountMax = 16
}

/// Why bytes are no review that can be answered. Never holds a part of them.
package enum AdmissionFailure: Error, Sendable, Equatable {
    case tooLarge(limit: Int)
    /// Not JSON (RFC 8259), not UTF-8, or with a name that counts twice.
    case notJSON(offset: Int)
    case tooDeep(limit: Int)
    case wrongVersion
    case wrongKind
    /// A field is not there, or not what it has to be.
    case wrongField(String)

    package var message: String {
        switch self {
        case .tooLarge(let limit):
            "the review is larger than \(limit) bytes; move data out of the object"
        case .notJSON(let offset): "the review is no JSON at byte \(offset); send JSON (RFC 8259)"
        case .tooDeep(let limit): "the review nests deeper than \(limit); nest less"
        case .wrongVersion:
            "apiVersion is not \(AdmissionRequest.version); name it alone in the webhook's "
                + "admissionReviewVersions as v1"
        case .wrongKind: "kind is not \(AdmissionRequest.kind); send one"
        case .wrongField(let field): "\(field) is missing or not what it has to be; send it"
        }
    }
}

/// What the API server asks: the `request` of an `AdmissionReview`
/// (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/).
package struct AdmissionRequest: Sendable, Equatable {
    package enum Operation: String, Sendable, CaseIterable {
        case create = "CREATE"
        case update = "UPDATE"
        case delete = "DELETE"
        case connect = "CONNECT"
    }

    /// What is asked about, as a path of the API names it.
    package struct Resource: Sendable, Hashable {
        /// Empty: the core group.
        package let group: String
        package let version: String
        package let resource: String
        /// Empty: the object itself.
        package let subresource: String

        package init(group: String, version: String, resource: String, subresource: String = "") {
            self.group = group
            self.version = version
            self.resource = resource
            self.subresource = subresource
        }
    }

    package static let version = "admission.k8s.io/v1"
    package static let kind = "AdmissionReview"

    package let uid: String
    package let operation: Operation
    package let resource: Resource
    /// Of `object`; `Pod`.
    package let objectKind: String
    /// Empty for an object without one.
    package let namespace: String
    package let isDryRun: Bool
    /// The object's JSON, byte for byte; nil where there is none (deletion).
    package let object: [UInt8]?

    /// - Parameter body: a review, in JSON.
    package init(_ body: [UInt8]) throws(AdmissionFailure) {
        guard body.count <= AdmissionLimits.reviewBytesMax else {
            throw .tooLarge(limit: AdmissionLimits.reviewBytesMax)
        }
        let review = try ReviewFields(document: body)
        guard try review.text("apiVersion") == Self.version else { throw .wrongVersion }
        guard try review.text("kind") == Self.kind else { throw .wrongKind }
        guard let request = try review.fields("request") else { throw .wrongField("request") }
        uid = try request.required("uid") { text in
            !text.isEmpty && text.utf8.count <= AdmissionLimits.uidBytesMax
                && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        }
        let word = try request.required("operation") { Operation(rawValue: $0) != nil }
        operation = Operation(rawValue: word) ?? .connect
        guard let place = try request.fields("resource") else {
            throw .wrongField("request.resource")
        }
        resource = Resource(
            group: try place.text("group") ?? "", version: try place.required("version"),
            resource: try place.required("resource"),
            subresource: try request.text("subResource") ?? "")
        guard let kind = try request.fields("kind") else { throw .wrongField("request.kind") }
        objectKind = try kind.required("kind")
        namespace = try request.text("namespace") ?? ""
        guard namespace.utf8.count <= AdmissionLimits.namespaceBytesMax,
            namespace.utf8.allSatisfy(Self.isOfName)
        else { throw .wrongField("request.namespace") }
        isDryRun = try request.flag("dryRun") ?? false
        object = try request.object("object")
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
    }
}

/// An object may hold anything: it does not get into a log by accident.
extension AdmissionRequest: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package var description: String { "(admission request \(uid))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// The members of one object of a review.
private struct ReviewFields {
    private let document: [UInt8]
    private let path: String
    private var members: [String: JSONValue] = [:]

    init(document: [UInt8]) throws(AdmissionFailure) {
        let root: JSONValue
        do throws(JSONFormatFailure) {
            root = try JSONFormat.check(document.span.bytes)
        } catch { throw Self.failure(error) }
        guard root.kind == .object else { throw .wrongKind }
        try self.init(document, root, path: "")
    }

    private init(
        _ document: [UInt8], _ object: JSONValue, path: String
    ) throws(AdmissionFailure) {
        self.document = document
        self.path = path
        let bytes = document.span.bytes
        do throws(JSONFormatFailure) {
            for member in try JSONFormat.members(of: object, in: bytes) {
                let name = try JSONText.publicText(member.name, in: bytes) ?? ""
                guard members.updateValue(member.value, forKey: name) == nil else {
                    throw .duplicateName(offset: member.name.range.lowerBound)
                }
            }
        } catch { throw Self.failure(error) }
    }

    private func value(
        _ name: String, _ kind: JSONValue.Kind
    ) throws(AdmissionFailure) -> JSONValue? {
        guard let value = members[name], value.kind != .null else { return nil }
        guard value.kind == kind else { throw .wrongField(path + name) }
        return value
    }

    func fields(_ name: String) throws(AdmissionFailure) -> ReviewFields? {
        guard let value = try value(name, .object) else { return nil }
        return try ReviewFields(document, value, path: path + name + ".")
    }

    /// The bytes of a member that is an object.
    func object(_ name: String) throws(AdmissionFailure) -> [UInt8]? {
        try value(name, .object).map { Array(document[$0.range]) }
    }

    func text(_ name: String) throws(AdmissionFailure) -> String? {
        guard let value = try value(name, .string) else { return nil }
        do throws(JSONFormatFailure) {
            return try JSONText.publicText(value, in: document.span.bytes)
        } catch { throw Self.failure(error) }
    }

    func required(
        _ name: String, _ isRight: (String) -> Bool = { !$0.isEmpty }
    ) throws(AdmissionFailure) -> String {
        guard let text = try text(name), isRight(text) else { throw .wrongField(path + name) }
        return text
    }

    func flag(_ name: String) throws(AdmissionFailure) -> Bool? {
        try value(name, .bool).map { document[$0.range.lowerBound] == UInt8(ascii: "t") }
    }

    private static func failure(_ failure: JSONFormatFailure) -> AdmissionFailure {
        switch failure {
        case .syntax(let offset), .encoding(let offset), .loneSurrogate(let offset),
            .duplicateName(let offset):
            .notJSON(offset: offset)
        case .tooDeep(let limit): .tooDeep(limit: limit)
        }
    }
}
