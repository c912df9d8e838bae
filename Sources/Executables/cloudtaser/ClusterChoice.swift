// SPDX-License-Identifier: Apache-2.0
import CurlHTTP
import Foundation
import Kubeconfig
import KubernetesPorts

/// Which cluster is meant, in the order of `kubectl`.
enum ClusterChoice {
    case file(path: String, context: String?)
    case pod

    /// nil: none is named, and there is none to be found.
    init?(_ input: ManifestInput) {
        self.init(
            kubeconfig: input.kubeconfig, context: input.context, inCluster: input.inCluster)
    }

    /// nil: none is named, and there is none to be found.
    init?(kubeconfig: String?, context: String?, inCluster: Bool) {
        let environment = ProcessInfo.processInfo.environment
        if inCluster {
            self = .pod
        } else if let path = kubeconfig {
            self = .file(path: path, context: context)
        } else if let path = environment["KUBECONFIG"], !path.isEmpty {
            // A list of files is merged by kubectl; the first that is there counts here.
            let paths = path.split(separator: ":").map(String.init)
            let found = paths.first { FileManager.default.fileExists(atPath: $0) }
            self = .file(path: found ?? path, context: context)
        } else if let home = environment["HOME"],
            FileManager.default.fileExists(atPath: "\(home)/.kube/config")
        {
            self = .file(path: "\(home)/.kube/config", context: context)
        } else if environment["KUBERNETES_SERVICE_HOST"] != nil {
            self = .pod
        } else {
            return nil
        }
    }

    /// - Returns: who asks it, and the server's address.
    func reader() throws(KubernetesFailure) -> (any KubernetesReading, String) {
        let environment = ProcessInfo.processInfo.environment
        let (endpoint, credentials): (ClusterEndpoint, any ClusterCredentials)
        switch self {
        case .file(let path, let context):
            (endpoint, credentials) = try Kubeconfig.load(
                path: path, context: context, environment: environment)
        case .pod:
            (endpoint, credentials) = try InClusterConfiguration.load(environment: environment)
        }
        return (try CurlClusterReader(endpoint, credentials: credentials), endpoint.server)
    }
}

/// Asynchronous work for a command that is not: the simulator owns the run-time's hooks, so that
/// this program has no asynchronous main function.
enum Blocking {
    static func run<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        let done = DispatchSemaphore(value: 0)
        let result = Box<Value>()
        Task {
            do { result.value = .success(try await work()) } catch {
                result.value = .failure(error)
            }
            done.signal()
        }
        done.wait()
        guard let value = result.value else {
            throw OperationalError(description: "nothing came of it")
        }
        return try value.get()
    }

    /// Written before the signal, read after it.
    private final class Box<Value: Sendable>: @unchecked Sendable {
        var value: Result<Value, any Error>?
    }
}

/// How far a scan is, on standard error, where that is a terminal.
struct ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1

    mutating func show(_ text: String) {
        guard isTerminal else { return }
        FileHandle.standardError.write(Data("\r\(text)\u{1B}[K".utf8))
    }

    func end() {
        if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
