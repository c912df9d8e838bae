// SPDX-License-Identifier: Apache-2.0
import KubernetesFormat
import KubernetesPorts
import Testing

/// What every `KubernetesAPI` does: run against the fake, and against a real API server through the
/// adapter.
struct ClusterCheck: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable (any ClusterBench) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (any ClusterBench) async throws -> Void) {
        testDescription = name
        self.run = run
    }

    static let all =
        writes + refusals + patches + applies + deletes + reads + watches + rights + admission
}

/// A config map.
func configMap(
    _ name: String, _ data: [String: String] = [:], labels: [String: String] = [:],
    version: String? = nil
) -> JSONTree {
    var object: JSONTree = [
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)],
        "data": .object(data.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }),
    ]
    var metadata: JSONTree = ["name": .string(name)]
    if !labels.isEmpty {
        metadata["labels"] = .object(labels.map { .init($0.key, .string($0.value)) })
    }
    if let version { metadata["resourceVersion"] = .string(version) }
    object["metadata"] = metadata
    return object
}

extension JSONTree {
    func meta(_ name: String) -> JSONTree? { value(at: "metadata", name) }
    var version: String { meta("resourceVersion")?.text ?? "" }
}

/// `KubernetesAPI` with trees, and with nothing to say about dry runs.
struct ClusterCaller {
    let api: any KubernetesAPI

    init(_ api: any KubernetesAPI) { self.api = api }

    func get(_ reference: ObjectReference) async throws -> JSONTree {
        try JSONTree(try await api.get(reference))
    }

    @discardableResult
    func create(
        _ object: JSONTree, _ collection: ResourceCollection, isDryRun: Bool = false
    ) async throws -> JSONTree {
        let made = try await api.create(
            object.rendered(), in: collection, WriteOptions(isDryRun: isDryRun))
        return try JSONTree(made)
    }

    @discardableResult
    func replace(
        _ reference: ObjectReference, _ object: JSONTree, isDryRun: Bool = false
    ) async throws -> JSONTree {
        let made = try await api.replace(
            reference, with: object.rendered(), WriteOptions(isDryRun: isDryRun))
        return try JSONTree(made)
    }

    @discardableResult
    func patch(
        _ reference: ObjectReference, _ kind: PatchKind, _ patch: JSONTree
    ) async throws -> JSONTree {
        try JSONTree(try await api.patch(reference, kind, patch.rendered(), WriteOptions()))
    }

    @discardableResult
    func apply(
        _ reference: ObjectReference, _ object: JSONTree, as manager: String,
        isForced: Bool = false
    ) async throws -> JSONTree {
        try await patch(reference, .apply(manager: manager, isForced: isForced), object)
    }

    func delete(
        _ reference: ObjectReference, _ preconditions: DeletePreconditions = .init(),
        isDryRun: Bool = false
    ) async throws {
        try await api.delete(reference, preconditions, WriteOptions(isDryRun: isDryRun))
    }

    func list(
        _ collection: ResourceCollection, _ selection: ObjectSelection = .init(),
        limit: Int = 500, continuation: String? = nil
    ) async throws -> ObjectPage {
        try await api.list(collection, selection, limit: limit, continuation: continuation)
    }
}

/// Expects one of the port's failures.
func expectFailure(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ isExpected: (KubernetesFailure) -> Bool, _ call: () async throws -> some Any
) async {
    do {
        _ = try await call()
        Issue.record("expected \(what), but it succeeded", sourceLocation: sourceLocation)
    } catch let failure as KubernetesFailure {
        #expect(isExpected(failure), "\(what): \(failure)", sourceLocation: sourceLocation)
    } catch {
        Issue.record("expected \(what), not \(error)", sourceLocation: sourceLocation)
    }
}

extension KubernetesFailure {
    var isNotFound: Bool { if case .notFound = self { true } else { false } }
    var isConflict: Bool { if case .conflict = self { true } else { false } }
    var isBadRequest: Bool { if case .badRequest = self { true } else { false } }
    var isForbidden: Bool { if case .forbidden = self { true } else { false } }
    var isAlreadyExists: Bool { if case .alreadyExists = self { true } else { false } }
    var isTooLarge: Bool { if case .requestTooLarge = self { true } else { false } }

    /// Refused with this field.
    func isInvalid(_ field: String?) -> Bool {
        guard case .invalid(_, let fields) = self else { return false }
        return field.map { wanted in fields.contains { $0.path == wanted } } ?? true
    }
}
