// SPDX-License-Identifier: Apache-2.0
internal import JSONFormat

/// A value of a document that was checked, with its place. Nothing is decoded before it is asked
/// for.
struct JSONNode {
    private let bytes: [UInt8]
    private let value: JSONValue
    let path: FieldPath

    /// - Throws: when the bytes are no JSON (RFC 8259, UTF-8), or nest too deep.
    init(document: [UInt8]) throws(Refusal) {
        do throws(JSONFormatFailure) {
            value = try JSONFormat.check(document.span.bytes)
        } catch { throw Self.refusal(error, at: .root) }
        bytes = document
        path = .root
    }

    private init(_ value: JSONValue, of document: JSONNode, at path: FieldPath) {
        bytes = document.bytes
        self.value = value
        self.path = path
    }

    var isNull: Bool { value.kind == .null }
    var isObject: Bool { value.kind == .object }
    var isArray: Bool { value.kind == .array }

    /// - Throws: also when there are more than `InjectionLimits.memberCountMax` members.
    func object() throws(Refusal) -> JSONObject {
        guard value.kind == .object else { throw mismatch("an object") }
        let max = InjectionLimits.memberCountMax
        do throws(JSONFormatFailure) {
            let found = try JSONFormat.members(of: value, max: max, in: bytes.span.bytes)
            if let found { return try object(of: found) }
        } catch { throw Self.refusal(error, at: path) }
        throw Refusal(path, "has more than \(max) members", fix: Self.fewer)
    }

    private func object(of found: [JSONMember]) throws(JSONFormatFailure) -> JSONObject {
        var members: [String: JSONNode] = [:]
        for member in found {
            let name = try JSONText.publicText(member.name, in: bytes.span.bytes) ?? ""
            let node = JSONNode(member.value, of: self, at: path[name])
            guard members.updateValue(node, forKey: name) == nil else {
                throw .duplicateName(offset: member.name.range.lowerBound)
            }
        }
        return JSONObject(path: path, members: members)
    }

    /// - Parameter max: of more elements none is made a node.
    /// - Throws: also when there are more.
    func elements(max: Int, fix: String = JSONNode.fewer) throws(Refusal) -> [JSONNode] {
        guard value.kind == .array else { throw mismatch("an array") }
        let found: [JSONValue]?
        do throws(JSONFormatFailure) {
            found = try JSONFormat.elements(of: value, max: max, in: bytes.span.bytes)
        } catch { throw Self.refusal(error, at: path) }
        guard let found else {
            throw Refusal(path, "has more than \(max) entries", fix: fix)
        }
        return found.enumerated().map { JSONNode($1, of: self, at: path[$0]) }
    }

    static let fewer = "use fewer"

    func text() throws(Refusal) -> String {
        guard value.kind == .string else { throw mismatch("text") }
        do throws(JSONFormatFailure) {
            return try JSONText.publicText(value, in: bytes.span.bytes) ?? ""
        } catch { throw Self.refusal(error, at: path) }
    }

    func flag() throws(Refusal) -> Bool {
        guard value.kind == .bool else { throw mismatch("true or false") }
        return bytes[value.range.lowerBound] == UInt8(ascii: "t")
    }

    func integer() throws(Refusal) -> Int {
        let digits = String(decoding: bytes[value.range], as: UTF8.self)
        guard value.kind == .number, let number = Int(digits) else { throw mismatch("an integer") }
        return number
    }

    /// Whether the value is this one. Objects of the document may have members more that are named
    /// in `extras`, at whatever depth: what an API server fills in.
    func equals(_ wanted: JSONOutput, extras: Set<String> = []) throws(Refusal) -> Bool {
        switch wanted {
        case .text(let wanted):
            return value.kind == .string ? try text().utf8.elementsEqual(wanted.utf8) : false
        case .number(let wanted):
            return value.kind == .number
                && String(decoding: bytes[value.range], as: UTF8.self) == String(wanted)
        case .flag(let wanted):
            return value.kind == .bool ? try flag() == wanted : false
        case .list(let wanted):
            guard value.kind == .array else { return false }
            guard let elements = try? elements(max: wanted.count),
                elements.count == wanted.count
            else { return false }
            for (element, wanted) in zip(elements, wanted)
            where try !element.equals(wanted, extras: extras) { return false }
            return true
        case .object(let wanted):
            guard value.kind == .object else { return false }
            var members = try object().members
            for (name, wanted) in wanted {
                guard let member = members.removeValue(forKey: name),
                    try member.equals(wanted, extras: extras)
                else { return false }
            }
            return members.keys.allSatisfy { extras.contains($0) }
        }
    }

    private func mismatch(_ wanted: String) -> Refusal {
        Refusal(path, "is not \(wanted)", fix: "write \(wanted) there")
    }

    private static func refusal(_ failure: JSONFormatFailure, at path: FieldPath) -> Refusal {
        switch failure {
        case .syntax(let offset):
            Refusal(path, "is no JSON at byte \(offset)", fix: "send JSON (RFC 8259)")
        case .encoding(let offset), .loneSurrogate(let offset):
            Refusal(path, "is no UTF-8 text at byte \(offset)", fix: "send UTF-8")
        case .tooDeep(let limit):
            Refusal(path, "nests deeper than \(limit)", fix: "nest less")
        case .duplicateName(let offset):
            Refusal(path, "has a name twice, at byte \(offset)", fix: "write each name once")
        }
    }
}

/// The members of an object. One whose value is null is as good as absent, as for Kubernetes.
struct JSONObject {
    let path: FieldPath
    let members: [String: JSONNode]

    static func empty(at path: FieldPath) -> JSONObject { JSONObject(path: path, members: [:]) }

    subscript(_ name: String) -> JSONNode? {
        members[name].flatMap { $0.isNull ? nil : $0 }
    }

    func object(_ name: String) throws(Refusal) -> JSONObject {
        guard let node = self[name] else { return .empty(at: path[name]) }
        return try node.object()
    }

    /// Empty when the member is absent.
    ///
    /// - Throws: also when there are more than `max`.
    func elements(
        _ name: String, max: Int, fix: String = JSONNode.fewer
    ) throws(Refusal) -> [JSONNode] {
        guard let node = self[name] else { return [] }
        return try node.elements(max: max, fix: fix)
    }

    /// Empty when the member is absent.
    ///
    /// - Throws: also when there are more than `max`.
    func texts(
        _ name: String, max: Int, fix: String = JSONNode.fewer
    ) throws(Refusal) -> [String] {
        var texts: [String] = []
        for element in try elements(name, max: max, fix: fix) { texts.append(try element.text()) }
        return texts
    }

    /// Of an object whose values are all text (labels); empty when the member is absent.
    func dictionary(_ name: String) throws(Refusal) -> [String: String] {
        var found: [String: String] = [:]
        for (key, node) in try object(name).members { found[key] = try node.text() }
        return found
    }

    func text(_ name: String) throws(Refusal) -> String? {
        guard let node = self[name] else { return nil }
        return try node.text()
    }

    func flag(_ name: String) throws(Refusal) -> Bool? {
        guard let node = self[name] else { return nil }
        return try node.flag()
    }

    func integer(_ name: String) throws(Refusal) -> Int? {
        guard let node = self[name] else { return nil }
        return try node.integer()
    }
}
