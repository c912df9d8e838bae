# SPDX-License-Identifier: Apache-2.0
"""What pods and the operator may do, and that each privilege has its reason beside it."""
import re
import unittest

import pod_security
import support

# They are what the nodes' kernels and kubelets need; everything else is "restricted".
PRIVILEGED = {"cloudtaser-agent": "agent.yaml", "cloudtaser-csi": "csi.yaml"}
SECRET = "cloudtaser-operator-tls"
READING = {"get", "list", "watch", "*"}


def privilege_lines(pod):
    """A pattern of the line in the manifest for each privilege of a pod template."""
    for complaint in set(pod_security.complaints(pod)):
        if complaint.startswith("volumes["):
            continue
        capability = re.search(r"capabilities\.add\[(\w+)\]", complaint)
        if capability:
            yield rf"- {capability.group(1)}$"
        elif complaint.startswith("annotations["):
            yield r"container\.apparmor\.security\.beta\.kubernetes\.io/"
        else:
            field = complaint.split(".")[-1]
            # Said below a field of its own; what a privileged container does without says nothing.
            said = {"seccompProfile": r"(type: Unconfined|privileged: true)$", "appArmorProfile": r"type: Unconfined$",
                    "runAsNonRoot": r"runAsUser: 0$", "allowPrivilegeEscalation": r"privileged: true$",
                    "drop": r"privileged: true$"}
            yield said.get(field, rf"{field}: (true|0)$")
    for volume in pod["spec"]["volumes"]:
        if "hostPath" in volume:
            yield rf"hostPath: \{{path: {re.escape(volume['hostPath']['path'])}, "


def without_reason(text, pod):
    """Privileges whose line has no comment right above it."""
    lines = text.splitlines()
    for pattern in privilege_lines(pod):
        found = [index for index, line in enumerate(lines) if re.search(pattern, line)]
        assert found, f"no line for {pattern}"
        for index in found:
            if not re.match(r"\s*# (\S+ ){2,}", lines[index - 1]):
                yield lines[index].strip()


class Pods(unittest.TestCase):
    def test_the_checker_refuses_what_is_to_be_refused(self):
        base, *rest = support.cases("restricted.yaml")
        for case in rest:
            pod = support.merged(base["base"], case.get("change", {}))
            with self.subTest(case.get("change")):
                self.assertEqual(
                    sorted(pod_security.complaints(pod)), sorted(case["refused"]))

    def test_all_but_those_that_need_more_are_restricted(self):
        for version in [support.OLD_VERSION, *support.VERSIONS]:
            pods = support.pod_templates(support.objects(support.EVERYTHING, version))
            self.assertLessEqual(set(PRIVILEGED), set(pods))
            for name, pod in pods.items():
                with self.subTest(version=version, pod=name):
                    found = list(pod_security.complaints(pod))
                    self.assertEqual(bool(found), name in PRIVILEGED, found)

    def test_all_have_a_root_file_system_that_cannot_be_written_and_limits(self):
        pods = support.pod_templates(support.objects(support.EVERYTHING))
        for name, pod in pods.items():
            for container in pod["spec"]["containers"]:
                with self.subTest(pod=name, container=container["name"]):
                    self.assertIs(container["securityContext"]["readOnlyRootFilesystem"], True)
                    self.assertIn("memory", container["resources"]["limits"])
                    self.assertIn("cpu", container["resources"]["requests"])

    def test_only_who_asks_the_api_server_gets_a_token(self):
        pods = support.pod_templates(support.objects(support.EVERYTHING))
        with_token = {
            name for name, pod in pods.items()
            if pod["spec"].get("automountServiceAccountToken") is not False}
        self.assertEqual(with_token, {"cloudtaser-operator", "cloudtaser-audit"})

    def test_each_privilege_has_its_reason(self):
        for version in "1.29", "1.36":
            rendered = support.templates(version=version)
            pods = support.pod_templates(support.objects(version=version))
            for name, file in PRIVILEGED.items():
                text = rendered[f"cloudtaser/templates/{file}"]
                with self.subTest(version=version, pod=name):
                    self.assertEqual(list(without_reason(text, pods[name])), [])
                    # Without its comments, each of them is found.
                    bare = re.sub(r"(?m)^\s*#.*\n", "", text)
                    self.assertGreater(len(list(without_reason(bare, pods[name]))), 3)

    def test_the_agent_has_the_capabilities_of_the_systemd_unit(self):
        unit = support.read("deploy", "systemd", "cloudtaser-agent.service")
        words = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M).group(1).split()
        pod = support.pod_templates(support.objects())["cloudtaser-agent"]
        added = pod["spec"]["containers"][0]["securityContext"]["capabilities"]["add"]
        self.assertEqual(sorted(f"CAP_{name}" for name in added), sorted(words))

    def test_the_agents_flags_are_flags_of_the_agent(self):
        table = support.read("docs", "reference", "agent.md")
        pod = support.pod_templates(support.objects())["cloudtaser-agent"]
        command, *flags = pod["spec"]["containers"][0]["args"]
        self.assertEqual(command, "run")
        for flag in flags:
            with self.subTest(flag):
                self.assertIn(f"| `{flag.split('=')[0]}` |", table)


def reads_secrets(role):
    """Rules that read Secrets other than the operator's own."""
    for rule in role["rules"]:
        resources = set(rule["resources"]) & {"secrets", "*"}
        if resources and set(rule["verbs"]) & READING and rule.get("resourceNames") != [SECRET]:
            yield rule


class Rights(unittest.TestCase):
    def setUp(self):
        self.rendered = support.objects(support.EVERYTHING)
        self.roles = support.of_kind(self.rendered, "Role", "ClusterRole")

    def test_no_secret_is_read_but_the_operators_own(self):
        self.assertGreater(len(self.roles), 1)
        for role in self.roles:
            self.assertEqual(list(reads_secrets(role)), [], role["metadata"]["name"])

    def test_a_role_that_reads_secrets_is_found(self):
        for rule in [
                {"resources": ["secrets"], "verbs": ["list"]},
                {"resources": ["pods", "secrets"], "verbs": ["create", "get"], "resourceNames": ["other"]},
                {"resources": ["*"], "verbs": ["*"]}]:
            self.assertEqual(len(list(reads_secrets({"rules": [rule]}))), 1, rule)

    def test_nothing_is_granted_that_grants_more(self):
        for role in self.roles:
            for rule in role["rules"]:
                words = rule["apiGroups"] + rule["resources"] + rule["verbs"]
                self.assertEqual(
                    set(words) & {"*", "escalate", "bind", "impersonate", "pods/exec",
                                  "serviceaccounts/token"}, set())
                # Pods are never changed; who looks at one looks at all of them.
                if "pods" in rule["resources"]:
                    self.assertIn(set(rule["verbs"]), ({"list", "watch"}, {"list"}))
                # Reports are made and said more about, and nothing else becomes of them.
                if "protectionreports" in rule["resources"]:
                    own = role["metadata"]["name"] == "cloudtaser-operator"
                    self.assertEqual(rule["verbs"], ["list", "create"] if own else ["list"])
                if "protectionreports/status" in rule["resources"]:
                    self.assertEqual(rule["verbs"], ["patch"])
                # What was told stays told.
                if "events" in rule["resources"]:
                    self.assertEqual(rule["verbs"], ["create"])

    def test_bindings_bind_what_is_there(self):
        accounts = {one["metadata"]["name"] for one in support.of_kind(self.rendered, "ServiceAccount")}
        names = {(one["kind"], one["metadata"]["name"]) for one in self.roles}
        bindings = support.of_kind(self.rendered, "RoleBinding", "ClusterRoleBinding")
        self.assertEqual(len(bindings), len(self.roles))
        for binding in bindings:
            reference = binding["roleRef"]
            self.assertIn((reference["kind"], reference["name"]), names)
            for subject in binding["subjects"]:
                self.assertIn(subject["name"], accounts)
                self.assertEqual(subject["namespace"], support.NAMESPACE)
        for name, pod in support.pod_templates(self.rendered).items():
            account = pod["spec"].get("serviceAccountName")
            if account:
                self.assertIn(account, accounts, name)

    def test_what_the_operator_is_told_is_what_it_may_use(self):
        pod = support.pod_templates(self.rendered)["cloudtaser-operator"]
        arguments = dict(
            argument.removeprefix("--").partition("=")[::2]
            for argument in pod["spec"]["containers"][0]["args"])
        role = support.named(self.rendered, "Role", "cloudtaser-operator")
        leases = [rule for rule in role["rules"] if rule["resources"] == ["leases"]]
        self.assertIn([arguments["lease-name"]], [rule.get("resourceNames") for rule in leases])
        self.assertEqual(arguments["namespace"], role["metadata"]["namespace"])


class OperatorFlags(unittest.TestCase):
    def test_are_flags_of_the_operator(self):
        source = support.read("Sources", "Executables", "cloudtaser-operator", "OperatorCommand.swift")
        # As swift-argument-parser names them.
        options = {"--" + re.sub(r"([A-Z])", lambda match: "-" + match.group(1).lower(), name)
                   for name in re.findall(r"@Option\(.*?\)\s+var (\w+)", source, re.S)}
        pod = support.pod_templates(support.objects(
            {"operator": {"certificateSecret": "tls"}}))["cloudtaser-operator"]
        flags = {argument.split("=")[0] for argument in pod["spec"]["containers"][0]["args"]}
        self.assertLessEqual(flags, options)
        self.assertNotIn("--misspelt", options)
