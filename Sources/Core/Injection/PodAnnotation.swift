// SPDX-License-Identifier: Apache-2.0
package import WrapperConfiguration

/// The annotations by which a pod says what it wants. Anything else that begins with
/// `cloudtaser.io/` is refused: a misspelt one would weaken a pod silently.
package enum PodAnnotation: String, Sendable, CaseIterable {
    case inject = "cloudtaser.io/inject"
    case agent = "cloudtaser.io/ebpf"
    case vaultAddress = "cloudtaser.io/vault-address"
    case vaultRole = "cloudtaser.io/vault-role"
    case vaultAuthMethod = "cloudtaser.io/vault-auth-method"
    case vaultSkipVerify = "cloudtaser.io/vault-skip-verify"
    case secretPaths = "cloudtaser.io/secret-paths"
    case environmentMap = "cloudtaser.io/env-map"
    case delivery = "cloudtaser.io/delivery"
    case follow = "cloudtaser.io/follow"
    case minimumTier = "cloudtaser.io/minimum-tier"
    case emptyValues = "cloudtaser.io/empty-values"
    case undumpable = "cloudtaser.io/undumpable"
    case readOnlyValues = "cloudtaser.io/read-only-values"
    case readableFiles = "cloudtaser.io/readable-files"
    case dropCapabilities = "cloudtaser.io/drop-capabilities"
    case restrictSystemCalls = "cloudtaser.io/restrict-system-calls"
    case denySendmmsg = "cloudtaser.io/deny-sendmmsg"
    case rotation = "cloudtaser.io/rotation"
    case rotationHook = "cloudtaser.io/rotation-hook"
    case rotationCheckSeconds = "cloudtaser.io/rotation-check-seconds"
    case fetchSecondsMax = "cloudtaser.io/fetch-seconds-max"
    case stopSeconds = "cloudtaser.io/stop-seconds"
    case destinations = "cloudtaser.io/destinations"
    /// Written by the operator; what a pod says there is not read.
    case status = "cloudtaser.io/status"

    package static let prefix = "cloudtaser.io/"
    /// What `status` says of a pod with wrapped containers.
    package static let injectedStatus = "injected"

    /// The variable that gets the annotation's text as it is; nil where the operator decides.
    package var variable: ControlVariable? {
        switch self {
        case .inject, .agent, .vaultAddress, .vaultAuthMethod, .vaultSkipVerify, .status: nil
        case .vaultRole: .authRole
        case .secretPaths: .secretPaths
        case .environmentMap: .environmentMap
        case .delivery: .delivery
        case .follow: .follow
        case .minimumTier: .minimumTier
        case .emptyValues: .emptyValues
        case .undumpable: .undumpable
        case .readOnlyValues: .readOnlyValues
        case .readableFiles: .readableFiles
        case .dropCapabilities: .dropCapabilities
        case .restrictSystemCalls: .restrictSystemCalls
        case .denySendmmsg: .denySendmmsg
        case .rotation: .rotation
        case .rotationHook: .rotationHook
        case .rotationCheckSeconds: .rotationCheckSeconds
        case .fetchSecondsMax: .fetchSecondsMax
        case .stopSeconds: .stopSeconds
        case .destinations: .destinations
        }
    }

    package var path: FieldPath { FieldPath.podAnnotations[rawValue] }

    /// Where a refusal of this variable is to be mended.
    static func path(of variable: ControlVariable) -> FieldPath {
        allCases.first { $0.variable == variable }?.path ?? FieldPath.podAnnotations
    }
}

/// What a pod's annotations say, each checked to be known and text.
struct AnnotationValues {
    private var texts: [PodAnnotation: String] = [:]

    init(of pod: PodView) throws(Refusal) {
        for (name, node) in pod.annotations where name.hasPrefix(PodAnnotation.prefix) {
            guard let annotation = PodAnnotation(rawValue: name) else {
                let known = PodAnnotation.allCases.filter { $0 != .status }
                    .map { $0.rawValue.dropFirst(PodAnnotation.prefix.count) }
                throw Refusal(
                    node.path, "is no annotation of CloudTaser",
                    fix: "use one of \(known.joined(separator: ", "))")
            }
            guard annotation != .status, !node.isNull else { continue }
            texts[annotation] = try node.text()
        }
    }

    subscript(_ annotation: PodAnnotation) -> String? { texts[annotation] }

    /// Whether an annotation is `true` or `false`; nil when it is absent.
    func flag(_ annotation: PodAnnotation) throws(Refusal) -> Bool? {
        guard let text = texts[annotation] else { return nil }
        return try OptIn.flag(text, at: annotation.path)
    }
}
