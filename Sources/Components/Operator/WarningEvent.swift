// SPDX-License-Identifier: Apache-2.0
internal import KubernetesFormat
internal import KubernetesPorts

/// An Event (core/v1) of type Warning about one object, for whoever looks at that object.
struct WarningEvent {
    /// Of the Event itself.
    let name: String
    let kind: String
    /// Of the object, and so of the Event.
    let namespace: String
    let objectName: String
    /// Of the object; nil: not known.
    let uid: String?
    let reason: String
    let message: String

    static func collection(in namespace: String) -> ResourceCollection {
        ResourceCollection(group: "", version: "v1", resource: "events", namespace: namespace)
    }

    /// - Parameter time: seconds since 1970.
    func rendered(at time: Int64) -> [UInt8] {
        let stamp = JSONTree.string(WallClockText.seconds(time))
        var object: JSONTree = [
            "apiVersion": "v1", "kind": .string(kind), "namespace": .string(namespace),
            "name": .string(objectName),
        ]
        if let uid { object["uid"] = .string(uid) }
        let event: JSONTree = [
            "apiVersion": "v1", "kind": "Event",
            "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "involvedObject": object, "reason": .string(reason), "type": "Warning",
            "message": .string(message), "source": ["component": "cloudtaser-operator"],
            "firstTimestamp": stamp, "lastTimestamp": stamp, "count": 1,
        ]
        return event.rendered()
    }
}
