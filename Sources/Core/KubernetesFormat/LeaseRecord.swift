// SPDX-License-Identifier: Apache-2.0

/// Who holds a lock, as a `coordination.k8s.io/v1` Lease says it.
///
/// The object that was read is kept: what others wrote into it survives a renewal.
package struct LeaseRecord: Sendable, Equatable {
    /// Empty: nobody.
    package var holder: String
    /// Whole seconds that the holder may go without renewing.
    package var durationSeconds: Int
    /// How often the lock changed hands.
    package var transitions: Int
    /// `metav1.MicroTime`; by the holder's wall clock, so only its change tells anything.
    package var renewTime: String
    package var acquireTime: String
    package private(set) var resourceVersion: String
    private var object: JSONTree

    /// A lock that nobody has held yet.
    package init(name: String, namespace: String) {
        holder = ""
        durationSeconds = 0
        transitions = 0
        renewTime = ""
        acquireTime = ""
        resourceVersion = ""
        object = [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": [:],
        ]
    }

    /// - Throws: when it is no Lease.
    package init(_ document: [UInt8]) throws(AnswerFailure) {
        do throws(JSONTree.Failure) {
            object = try JSONTree(document)
        } catch { throw .malformed(detail: "the Lease is no JSON: \(error)") }
        guard object["kind"]?.text == "Lease",
            let version = object.value(at: "metadata", "resourceVersion")?.text
        else { throw .malformed(detail: "no Lease") }
        let spec = object["spec"]
        holder = spec?["holderIdentity"]?.text ?? ""
        durationSeconds = spec?["leaseDurationSeconds"]?.wholeNumber ?? 0
        transitions = spec?["leaseTransitions"]?.wholeNumber ?? 0
        renewTime = spec?["renewTime"]?.text ?? ""
        acquireTime = spec?["acquireTime"]?.text ?? ""
        resourceVersion = version
    }

    /// With the version that was read, so that a write replaces that state only.
    package func rendered() -> [UInt8] {
        var object = object
        var spec = object["spec"] ?? [:]
        spec["holderIdentity"] = .string(holder)
        spec["leaseDurationSeconds"] = .number(String(durationSeconds))
        spec["leaseTransitions"] = .number(String(transitions))
        spec["renewTime"] = renewTime.isEmpty ? nil : .string(renewTime)
        spec["acquireTime"] = acquireTime.isEmpty ? nil : .string(acquireTime)
        object["spec"] = spec
        return object.rendered()
    }
}
