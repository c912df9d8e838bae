// SPDX-License-Identifier: Apache-2.0

/// What a finding weighs, is called, means and is mended by.
struct FindingWords {
    let severity: FindingSeverity
    let title: String
    let meaning: String
    let fix: String

    init(_ severity: FindingSeverity, _ title: String, _ meaning: String, fix: String) {
        self.severity = severity
        self.title = title
        self.meaning = meaning
        self.fix = fix
    }
}

extension FindingID {
    /// Of what `cloudtaser validate` alone finds; of any other nothing.
    /// Whether `validate` alone looks for it.
    package var isOfValidation: Bool { rawValue.hasPrefix("CT3") }

    var ofValidation: FindingWords {
        ofPods ?? ofPolicies ?? ofInstallation ?? ofTrust
            ?? FindingWords(.critical, rawValue, "", fix: "")
    }

    private var ofPods: FindingWords? {
        switch self {
        case .podRefused:
            FindingWords(
                .high, "a pod that the webhook would refuse",
                "Its controller makes it again and again, and none starts.",
                fix: "Do what the finding says, at the field that it names.")
        case .annotationMisplaced:
            FindingWords(
                .high, "an annotation on the object instead of its pod template",
                "The webhook sees pods, and a pod has what its template says: this one does "
                    + "nothing.",
                fix: "Move it to metadata.annotations of the template.")
        case .annotationIdle:
            FindingWords(
                .medium, "annotations of a pod that does not ask",
                "Without cloudtaser.io/inject nothing reads them, and the pod starts without the "
                    + "wrapper.",
                fix: "Set cloudtaser.io/inject: \"true\", or take the others out.")
        case .selectorNeedsLabel:
            FindingWords(
                .high, "a pod that asks by what the webhook's selector does not see",
                "On this cluster the API server calls the webhook by label only, or by annotation "
                    + "only: nothing wraps the pod. The admission policies refuse it; without "
                    + "them it starts without the wrapper.",
                fix: "Set cloudtaser.io/inject on the pod template as both.")
        case .namespaceLeftOut:
            FindingWords(
                .high, "a pod that asks in a namespace that the webhook leaves out",
                "The API server never asks the operator about pods there.",
                fix: "Run it in another namespace, or change operator.excludedNamespaces.")
        case .namespaceAnnotatedOnly:
            FindingWords(
                .high, "a namespace that asks by an annotation, and by no label",
                "API servers select by a label only: the webhook is not asked. The admission "
                    + "policies refuse pods there that say nothing themselves; without the "
                    + "policies these start without the wrapper.",
                fix: "kubectl label namespace NAME cloudtaser.io/inject=true")
        case .injectionWarning:
            FindingWords(
                .low, "a pod that is injected with a warning",
                "It would be wrapped, and something about it weakens that.",
                fix: "Do what the finding says, or accept it.")
        default: nil
        }
    }

    private var ofPolicies: FindingWords? {
        switch self {
        case .policyMissing:
            FindingWords(
                .high, "the cluster has no CloudTaserPolicy",
                "Every pod that asks is refused.",
                fix: "Change deploy/examples/policy.yaml and apply it.")
        case .policyUnreadable:
            FindingWords(
                .high, "a CloudTaserPolicy that the operator cannot read",
                "It is not in force, and every pod that asks is refused.",
                fix: "Mend the field that the finding names; docs/reference/annotations.md.")
        case .policiesSeveral:
            FindingWords(
                .high, "several CloudTaserPolicies",
                "They stand in each other's way: none is in force, and every pod that asks is "
                    + "refused.",
                fix: "Make one of them.")
        case .grantWithoutNamespace:
            FindingWords(
                .low, "a grant that no namespace has",
                "A namespace is called otherwise, or its labels are not set: it is granted "
                    + "nothing.",
                fix: "Name the namespaces as they are called, or label them.")
        case .authoritiesMissing:
            FindingWords(
                .high, "a ConfigMap of a vault's authorities is not there",
                "Injected pods of the namespace mount it, and do not start without it.",
                fix: "Make it in each namespace of such pods, with the key that the policy names.")
        default: nil
        }
    }

    private var ofInstallation: FindingWords? {
        switch self {
        case .webhookIncomplete:
            FindingWords(
                .high, "the webhook's configuration is not whole",
                "The API server cannot ask the operator about some pods, or does not believe its "
                    + "answer.",
                fix: "Look at the operator, which keeps it: docs/runbooks/webhook-failing.md.")
        case .certificateEnding:
            FindingWords(
                .medium, "a certificate that ends soon",
                "Nothing has renewed it yet.",
                fix: "docs/runbooks/certificate-expiring.md; a vault's own: renew it there.")
        case .certificateOver:
            FindingWords(
                .high, "a certificate that is not valid now",
                "Who checks it refuses the connection: pods that ask are refused, or get no "
                    + "values.",
                fix: "docs/runbooks/certificate-expiring.md; a vault's own: renew it there.")
        case .operatorNotReady:
            FindingWords(
                .high, "the operator is not there, or has too few replicas that are ready",
                "With none, pods that ask are refused. With fewer than wanted, the next failure "
                    + "has that effect.",
                fix: "docs/runbooks/operator-down.md")
        case .kernelWithoutSecretMemory:
            FindingWords(
                .high, "a node whose kernel has no memfd_secret",
                "The wrapper refuses to start programs there, unless the policy's minimumTier is "
                    + "lower.",
                fix: "Run nodes with Linux from 5.14, better 6.5; docs/reference/secret-memory.md.")
        case .kernelUnknown:
            FindingWords(
                .info, "a node of which its kernel's release does not say enough",
                "From 5.14 to 6.4 memfd_secret needs secretmem.enable=1 at boot. The agent's "
                    + "self-test decides.",
                fix: "Look at the agent's metrics there, or boot with secretmem.enable=1.")
        default: nil
        }
    }

    private var ofTrust: FindingWords? {
        switch self {
        case .vaultRoleMissing:
            FindingWords(
                .high, "a role that the vault does not have",
                "Pods that ask for it are injected, and none of their containers starts: the "
                    + "wrapper cannot log in.",
                fix: "bao write auth/kubernetes/role/NAME …, or name the role that there is.")
        case .vaultRoleElsewhere:
            FindingWords(
                .high, "a role of the vault that is bound to others",
                "The vault refuses the login of these pods, and none of their containers starts.",
                fix: "Bind the role to the pods' ServiceAccount, namespace and the policy's "
                    + "audience, or have the pods use what it is bound to.")
        case .webhookDistrusted:
            FindingWords(
                .high, "the webhook's certificate is of no authority in its caBundle",
                "The API server does not believe who answers, and refuses every pod that asks.",
                fix: "Look at the operator, which keeps both: docs/runbooks/webhook-failing.md.")
        default: nil
        }
    }
}
