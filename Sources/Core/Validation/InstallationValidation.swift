// SPDX-License-Identifier: Apache-2.0
internal import AdmissionTrust
internal import Inventory
internal import KubernetesFormat
internal import Reporting

/// Webhook, operator, agents and kernels, vaults and certificates.
struct InstallationValidation {
    let checks: [Check]
    let findings: [Finding]

    init(
        _ input: ValidationInput, _ webhook: WebhookView, _ reading: PolicyReading, hasAsking: Bool
    ) {
        let installation = Installation(input.inventory)
        let parts = [
            Self.webhook(input, webhook, hasAsking), Self.certificates(input, webhook),
            Self.operators(input, installation), Self.agents(input, installation, reading),
            Self.kernels(input), Self.vaults(input),
        ]
        checks = parts.map(\.check)
        findings = parts.flatMap(\.findings)
    }

    private typealias Part = (check: Check, findings: [Finding])

    private static func finding(
        _ id: FindingID, _ object: String, _ message: String, source: String = "cluster"
    ) -> Finding {
        Finding(
            id: id, object: object, container: nil, path: "", message: message, source: source)
    }

    private static func webhook(
        _ input: ValidationInput, _ webhook: WebhookView, _ hasAsking: Bool
    ) -> Part {
        let name = "webhook"
        let resource = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        guard !webhook.webhooks.isEmpty else {
            guard input.isMissingMeant(resource) else {
                let text = "no configuration was read; the operator makes it"
                return (Check(name, .notChecked, text), [])
            }
            let text = FindingID.webhookMissing.title
            guard hasAsking else {
                let text = "there is none, and no pod asks"
                return (Check(name, .warning, text, fix: "docs/how-to/install.md"), [])
            }
            return (Check(name, .fails, text), [finding(.webhookMissing, "-", text)])
        }
        let open = webhook.webhooks.filter { !$0.failsClosed }.map {
            finding(
                .webhookFailsOpen, $0.object.reference,
                "\(FindingID.webhookFailsOpen.title) (\($0.name))", source: $0.object.source)
        }
        let faults = webhook.faults.map {
            finding(.webhookIncomplete, $0.object.reference, $0.text, source: $0.object.source)
        }
        let found = open + faults + Self.distrusted(input, webhook)
        let names = webhook.webhooks.map(\.name).joined(separator: ", ")
        let text = found.isEmpty ? "\(names): failurePolicy Fail, caBundle set" : names
        return (Check(name, found.isEmpty ? .ok : .fails, text), found)
    }

    /// Certificates that were handed over, and are the webhook's.
    private static func distrusted(_ input: ValidationInput, _ webhook: WebhookView) -> [Finding] {
        input.certificates.flatMap { certificate -> [Finding] in
            guard let keys = CertificateKeys.first(inPEM: certificate.pem) else { return [] }
            return webhook.webhooks.filter { $0.distrusts(keys) }.map {
                finding(
                    .webhookDistrusted, $0.object.reference,
                    "webhook \($0.name): no authority of its caBundle has signed "
                        + certificate.name, source: $0.object.source)
            }
        }
    }

    // MARK: - Certificates

    private static func certificates(_ input: ValidationInput, _ webhook: WebhookView) -> Part {
        var lives: [(String, CertificateLife?)] = []
        for one in webhook.webhooks.prefix(1) {
            lives += CertificateLife.all(inPEM: one.bundle).map { ("the webhook's caBundle", $0) }
        }
        for certificate in input.certificates {
            lives += CertificateLife.all(inPEM: certificate.pem).map { (certificate.name, $0) }
        }
        for vault in input.vaults {
            lives += vault.certificates.prefix(1).map {
                (vault.address, CertificateLife(notBefore: $0.notBefore, notAfter: $0.notAfter))
            }
        }
        guard !lives.isEmpty else {
            let text = "none was read; private keys never are"
            let fix = "name the webhook's certificate (PEM) with --certificate"
            return (Check("certificates", .notChecked, text, fix: fix), [])
        }
        var findings: [Finding] = []
        var worst = Check.State.ok
        for (name, life) in lives {
            let until = life.map { WallClockText.seconds($0.notAfter) } ?? ""
            switch life?.standing(at: input.now) {
            case .valid: break
            case nil: worst = worst == .fails ? .fails : .warning
            case .ending:
                worst = worst == .fails ? .fails : .warning
                findings.append(finding(.certificateEnding, name, "it ends at \(until)"))
            case .over:
                worst = .fails
                findings.append(finding(.certificateOver, name, "it ended at \(until)"))
            case .notYet:
                worst = .fails
                let from = life.map { WallClockText.seconds($0.notBefore) } ?? ""
                findings.append(finding(.certificateOver, name, "it begins at \(from)"))
            }
        }
        let text = lives.map { name, life in
            "\(name): "
                + (life.map { "until \(WallClockText.seconds($0.notAfter))" } ?? "unreadable")
        }
        return (Check("certificates", worst, text.joined(separator: "; ")), findings)
    }

    // MARK: - What runs

    private static func operators(_ input: ValidationInput, _ there: Installation) -> Part {
        let name = "operator"
        guard !there.operators.isEmpty else {
            guard input.isMissingInNamespacesMeant("deployments.apps") else {
                return (Check(name, .notChecked, "its Deployment was not read"), [])
            }
            let text = "no Deployment of the operator is there"
            return (Check(name, .fails, text), [finding(.operatorNotReady, "-", text)])
        }
        var findings: [Finding] = []
        for part in there.operators where !part.isWhole {
            findings.append(
                finding(
                    .operatorNotReady, part.object.reference, part.text,
                    source: part.object.source))
        }
        let texts = there.operators.map { "\($0.object.reference): \($0.text)" }
        guard there.operators.allSatisfy({ $0.ready != nil }) else {
            return (Check(name, .notChecked, "from a file: whether it runs is not known"), [])
        }
        return (
            Check(name, findings.isEmpty ? .ok : .fails, texts.joined(separator: "; ")), findings
        )
    }

    private static func agents(
        _ input: ValidationInput, _ there: Installation, _ reading: PolicyReading
    ) -> Part {
        let name = "agents"
        guard !there.nodes.isEmpty else {
            return (Check(name, .notChecked, "no Node was read"), [])
        }
        let text = "\(there.covered) of \(there.nodes.count) nodes have an agent that is ready"
        // A list of nodes alone says nothing about pods.
        guard input.scope == .cluster || input.inventory.workloads.contains(where: \.isPod) else {
            return (Check(name, .notChecked, "no Pod was read"), [])
        }
        if there.covered == 0, reading.wantsNoAgent {
            return (
                Check(name, .warning, "none, as the policy says: \(Installation.kernelAlone)"), []
            )
        }
        let bare = there.nodes.filter { !$0.hasAgent }.map {
            finding(.nodeWithoutAgent, "Node \($0.name)", FindingID.nodeWithoutAgent.title)
        }
        return (Check(name, bare.isEmpty ? .ok : .fails, text), bare)
    }

    private static func kernels(_ input: ValidationInput) -> Part {
        let name = "kernels"
        guard !input.inventory.nodes.isEmpty else {
            return (Check(name, .notChecked, "no Node was read"), [])
        }
        var findings: [Finding] = []
        for node in input.inventory.nodes {
            let release = node.tree.value(at: "status", "nodeInfo", "kernelVersion")?.text ?? ""
            switch KernelSupport(release: release) {
            case .usual: break
            case .tooOld:
                findings.append(
                    finding(
                        .kernelWithoutSecretMemory, node.reference,
                        "kernel \(release) has no memfd_secret", source: node.source))
            case .unknown:
                findings.append(
                    finding(
                        .kernelUnknown, node.reference,
                        "kernel \(release): unknown whether secretmem.enable=1 is set; the "
                            + "agent's self-test decides", source: node.source))
            case nil:
                findings.append(
                    finding(
                        .kernelUnknown, node.reference,
                        "it does not say its kernel's release; the agent's self-test decides",
                        source: node.source))
            }
        }
        let old = findings.count { $0.id == .kernelWithoutSecretMemory }
        let count = input.inventory.nodes.count
        let text =
            "\(count) nodes: \(count - findings.count) from 6.5, "
            + "\(findings.count - old) unknown (the agent's self-test decides), \(old) too old"
        let state: Check.State = old > 0 ? .fails : findings.isEmpty ? .ok : .warning
        return (Check(name, state, text), findings)
    }

    private static func vaults(_ input: ValidationInput) -> Part {
        guard !input.vaults.isEmpty else {
            let text = "none was looked at"
            let fix = "--vault-address https://host:port, or --look-at-vaults"
            return (Check("vaults", .notChecked, text, fix: fix), [])
        }
        let away = input.vaults.filter { !$0.isServing }.map { vault in
            finding(
                .vaultAway, vault.address,
                vault.state.map { "it is \($0)" } ?? vault.failure, source: "-")
        }
        let texts = input.vaults.map { "\($0.address): \($0.state ?? $0.failure)" }
        let state: Check.State = away.isEmpty ? .ok : .fails
        return (Check("vaults", state, texts.joined(separator: "; ")), away)
    }
}
