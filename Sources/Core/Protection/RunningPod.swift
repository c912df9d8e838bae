// SPDX-License-Identifier: Apache-2.0
package import KubernetesFormat

/// A pod that asked and runs, as its status has it.
package struct RunningPod: Sendable, Equatable {
    package struct Container: Sendable, Equatable {
        package let name: String
        /// As its run-time calls it, without `containerd://`; nil: nobody has said.
        package let id: String?

        package init(name: String, id: String?) {
            self.name = name
            self.id = id
        }

        /// Those of a pod that run, by name, as its status has them.
        package static func running(in pod: JSONTree) -> [String: Container] {
            var running: [String: Container] = [:]
            for kind in ["initContainerStatuses", "containerStatuses"] {
                for status in pod.value(at: "status", kind)?.elements ?? [] {
                    guard let name = status["name"]?.text,
                        status.value(at: "state", "running")?.members != nil
                    else { continue }
                    running[name] = Container(name: name, id: id(status["containerID"]?.text))
                }
            }
            return running
        }

        private static func id(_ text: String?) -> String? {
            guard let text, let mark = text.firstRange(of: "://") else { return nil }
            let id = text[mark.upperBound...]
            return id.isEmpty ? nil : String(id)
        }
    }

    package let name: String
    package let node: String
    /// Those that started by the wrapper and run.
    package let wrapped: [Container]
    /// Names of those that run and should have started by the wrapper.
    package let bare: [String]

    package init(name: String, node: String, wrapped: [Container], bare: [String] = []) {
        self.name = name
        self.node = node
        self.wrapped = wrapped
        self.bare = bare
    }

    /// nil: it has ended or is being deleted, or none of these containers runs.
    ///
    /// - Parameters:
    ///   - pod: core/v1 Pod, with its status.
    ///   - wrapped: names of its containers that start by the wrapper.
    ///   - bare: names of those that should.
    package init?(_ pod: JSONTree, wrapped: [String], bare: [String]) {
        guard let name = pod.value(at: "metadata", "name")?.text,
            pod.value(at: "metadata", "deletionTimestamp") == nil,
            !["Succeeded", "Failed"].contains(pod.value(at: "status", "phase")?.text),
            let node = pod.value(at: "spec", "nodeName")?.text
        else { return nil }
        let running = Container.running(in: pod)
        let wrapped = wrapped.compactMap { running[$0] }
        let bare = bare.filter { running[$0] != nil }
        guard !wrapped.isEmpty || !bare.isEmpty else { return nil }
        self.init(name: name, node: node, wrapped: wrapped, bare: bare)
    }
}
