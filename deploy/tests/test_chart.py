# SPDX-License-Identifier: Apache-2.0
"""The chart by Helm's own code, and what it renders by the schemas of Kubernetes."""
import copy
import json
import os
import re
import subprocess
import sys
import unittest

import helm_python
import kubernetes_validate

import support

DEFAULTS = support.load_all(support.read("deploy", "helm", "cloudtaser", "values.yaml"))[0]
SCHEMA = json.loads(support.read("deploy", "helm", "cloudtaser", "values.schema.json"))
# No schema of Kubernetes has these.
FOREIGN = {"PrometheusRule", "ServiceMonitor"}


def leaves(values, path=""):
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        if isinstance(value, dict) and here in CHANGES:
            yield here
        elif isinstance(value, dict) and value:
            yield from leaves(value, here)
        else:
            yield here


DIGEST = "sha256:" + "0123456789abcdef" * 4
# Another value for each: something must change with it.
CHANGES = {
    "image.registry": "other.example.eu", "image.tag": "2", "image.pullPolicy": "Always",
    "image.pullSecrets": ["secret"], "kubernetesVersion": "1.20",
    "operator.digest": DIGEST, "operator.certificateSecret": "tls", "operator.replicas": 3,
    "operator.vaultProbe.enabled": False, "operator.vaultProbe.authorities": "vault-ca",
    "operator.priorityClassName": "",
    "operator.resources": {"requests": {"cpu": 1}},
    "operator.nodeSelector": {"a": "b"}, "operator.tolerations": [{"operator": "Exists"}],
    "registries.credentials": ["pull"], "registries.mirrors": ["a.eu=https://b.eu/c"],
    "registries.hosts": ["a.eu:5000"], "registries.insecureHosts": ["b.eu"],
    "registries.authorities": "ca",
    "agent.enabled": False, "agent.digest": DIGEST, "agent.mode": "detect",
    "agent.extraArgs": ["--policy=AV-026=detect"], "agent.priorityClassName": "x",
    "agent.resources": {"requests": {"cpu": 1}},
    "agent.nodeSelector": {"a": "b"}, "agent.tolerations": [],
    "csi.enabled": False, "csi.driverImage": "d", "csi.registrarImage": "r",
    "csi.kubeletFolder": "/k", "csi.resources": {"requests": {"cpu": 1}},
    "admissionPolicies.enabled": False,
    "networkPolicy.enabled": False, "networkPolicy.metricsFrom": [],
    "networkPolicy.s3ClientsFrom": [{"podSelector": {}}],
    "serviceMonitor.enabled": False, "serviceMonitor.interval": "1m",
    "serviceMonitor.labels": {"a": "b"},
    "alerts.enabled": False, "alerts.runbooks": "https://other.example.eu/runbooks", "alerts.labels": {"a": "b"},
    "alerts.auditSecondsMax": 60, "alerts.certificateSecondsMin": 60,
    "audit.enabled": False, "audit.digest": DIGEST, "audit.schedule": "@hourly", "audit.baseline": "first.json",
    "audit.declarations": "declared", "audit.vaultAuthorities": "ca",
    "audit.failOn": "critical", "audit.retention": 400, "audit.series.claim": "other", "audit.series.folder": "a/b",
    "audit.series.group": 0, "audit.signingSecret": "key", "audit.pushURL": "http://push.example.eu:9091",
    "audit.readSecrets": True, "audit.secondsMax": 60,
    "audit.resources": {"requests": {"cpu": 1}}, "audit.priorityClassName": "x",
    "audit.nodeSelector": {"a": "b"}, "audit.tolerations": [{"operator": "Exists"}],
    "s3Proxy.enabled": False, "s3Proxy.digest": DIGEST, "s3Proxy.replicas": 3,
    "s3Proxy.resources": {"requests": {"cpu": 1}}, "s3Proxy.priorityClassName": "x",
    "s3Proxy.nodeSelector": {"a": "b"}, "s3Proxy.tolerations": [{"operator": "Exists"}],
    "s3Proxy.upstream.endpoint": "https://other.example.eu", "s3Proxy.upstream.allowPlainHTTP": True,
    "s3Proxy.upstream.region": "eu-north-1", "s3Proxy.upstream.style": "virtual-host",
    "s3Proxy.upstream.dialect": "simple", "s3Proxy.upstream.authorities": "ca",
    "s3Proxy.upstream.credentialsPath": "a/b", "s3Proxy.clients.path": "a/b",
    "s3Proxy.clients.region": "eu-north-1", "s3Proxy.clients.domains": ["s3.example.eu"],
    "s3Proxy.credentialsSeconds": 5, "s3Proxy.vault.address": "https://other.example.eu",
    "s3Proxy.vault.authorities": "ca", "s3Proxy.vault.namespace": "a", "s3Proxy.vault.method": "jwt",
    "s3Proxy.vault.mount": "a", "s3Proxy.vault.role": "a", "s3Proxy.vault.audience": "a",
    "s3Proxy.vault.tokenSeconds": 900, "s3Proxy.vault.allowedOrigins": ["https://a.example.eu"],
    "s3Proxy.vault.threads": 1, "s3Proxy.vault.seconds": 1, "s3Proxy.keys.transitMount": "a",
    "s3Proxy.keys.transitKey": "a", "s3Proxy.keys.tenant": "a", "s3Proxy.keys.mode": "object",
    "s3Proxy.keys.epochHours": 2, "s3Proxy.keys.confirmSeconds": 1, "s3Proxy.keys.cacheSeconds": 0,
    "s3Proxy.keys.cacheEntries": 1, "s3Proxy.keys.minimumTier": "locked", "s3Proxy.passThrough": ["public"],
    "s3Proxy.tls.secretName": "other",
    "s3Proxy.tls.csi": {"driver": "csi.cert-manager.io"}, "s3Proxy.tls.plainHTTP": True,
    "s3Proxy.requestsMax": 1, "s3Proxy.objectBytesMax": 1, "s3Proxy.drainSeconds": 0,
    "s3Proxy.logLevel": "debug",
}
# What has to go where another comes.
INSTEAD_OF = {
    "s3Proxy.tls.csi": "s3Proxy.tls.secretName", "s3Proxy.tls.plainHTTP": "s3Proxy.tls.secretName",
}
# What is rendered for all of these is held to the schemas.
VARIANTS = {
    "standard": {}, "everything": support.EVERYTHING,
    "changed": {
        "image": {"tag": "2", "pullSecrets": ["secret"]},
        "operator": {
            "digest": DIGEST, "certificateSecret": "tls", "tolerations": [{"operator": "Exists"}],
            "priorityClassName": ""},
        "registries": {
            "credentials": ["pull", "other"], "mirrors": ["docker.io=https://b.eu/c", "a.eu=https://d.eu"],
            "hosts": ["docker.io"], "insecureHosts": ["b.eu:5000"], "authorities": "ca"},
        "agent": {"extraArgs": ["--lock-modules"], "tolerations": []},
        "serviceMonitor": {"enabled": True, "labels": {"a": "b"}},
        "alerts": support.ALERTS,
        "audit": {
            **support.AUDIT, "readSecrets": True, "signingSecret": "key", "retention": 30,
            "declarations": "declared", "vaultAuthorities": "ca", "baseline": "first.json",
            "pushURL": "http://push.example.eu:9091", "tolerations": [{"operator": "Exists"}]}},
    "nothing": {
        "agent": {"enabled": False}, "csi": {"enabled": False}, "admissionPolicies": {"enabled": False}},
}


def complaint(document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{document['kind']} {document['metadata']['name']}: {error.message}"
    return None


class Chart(unittest.TestCase):
    def test_lints(self):
        for name, values in VARIANTS.items():
            with self.subTest(name):
                report = helm_python.lint(
                    support.CHART, support.merged({"image": {"registry": "r"}}, values),
                    strict=True, namespace=support.NAMESPACE)
                wrong = [one for one in report["messages"] if one["severity"] > 1]
                self.assertEqual(wrong + report["errors"], [])

    def test_a_broken_chart_does_not_lint(self):
        report = helm_python.lint(support.CHART, {"image": {"registry": 1}}, strict=True)
        self.assertNotEqual(report["errors"], [])

    def test_is_of_the_schemas_of_kubernetes(self):
        for version in support.VERSIONS:
            for name, values in VARIANTS.items():
                with self.subTest(version=version, variant=name):
                    rendered = support.objects(values, version)
                    self.assertEqual(
                        [complaint(one, version) for one in rendered if one["kind"] not in FOREIGN],
                        [None] * len([one for one in rendered if one["kind"] not in FOREIGN]))

    def test_the_schemas_of_kubernetes_see_a_misspelt_field_of_each_kind(self):
        for version in support.VERSIONS:
            for document in support.objects(support.EVERYTHING, version):
                # A CustomResourceDefinition's schema is looked at one level down.
                place = document if document["kind"] in (
                    "ConfigMap", "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding",
                ) else document.get("spec")
                if document["kind"] in FOREIGN:
                    continue
                with self.subTest(version=version, kind=document["kind"]):
                    place["misspelt"] = {}
                    self.assertIsNotNone(complaint(document, version))

    def test_the_pages_example_is_of_the_schemas_and_asks_as_it_should(self):
        page = support.read("docs", "how-to", "install.md")
        block = next(part for part in page.split("```") if part.startswith("\napiVersion"))
        example = support.load_all(block)[0]
        known = support.read("docs", "reference", "annotations.md")
        for version in support.VERSIONS:
            self.assertIsNone(complaint(example, version))
        annotations = example["spec"]["template"]["metadata"]["annotations"]
        self.assertGreater(len(annotations), 2)
        for name in annotations:
            self.assertIn(f"| `{name}` |", known)

    def test_renders_the_same_twice(self):
        once = support.templates(support.EVERYTHING)
        self.assertEqual(once, support.templates(support.EVERYTHING))
        # Another process has another order of Go's maps.
        code = ("import json, support; "
                "print(json.dumps(support.templates(support.EVERYTHING)))")
        again = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True,
            env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.abspath(__file__))})
        self.assertEqual(once, json.loads(again.stdout))

    def test_renders_no_certificate_and_no_webhook(self):
        for version in [support.OLD_VERSION, "1.36"]:
            rendered = support.objects(support.EVERYTHING, version)
            kinds = {one["kind"] for one in rendered}
            self.assertEqual(
                kinds & {"Secret", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"},
                set())
            text = support.dump(rendered)
            for word in "caBundle", "BEGIN CERTIFICATE", "helm.sh/hook":
                self.assertNotIn(word, text)

    def test_the_notes_name_the_webhook_that_the_operator_may_keep(self):
        role = support.named(support.objects(), "ClusterRole", "cloudtaser-operator")
        names = [
            rule["resourceNames"] for rule in role["rules"]
            if rule["resources"] == ["mutatingwebhookconfigurations"] and "resourceNames" in rule]
        notes = next(text for path, text in support.templates().items() if path.endswith("NOTES.txt"))
        for text in notes, support.read("docs", "how-to", "install.md"):
            self.assertIn(f"kubectl delete mutatingwebhookconfiguration {names[0][0]}", text)

    def test_renders_for_each_version_what_it_knows(self):
        for version, has_rules, has_policies in [
                ("1.20", False, False), ("1.24.9", False, False), ("1.25.0", True, False),
                ("v1.29.3-eks-1", True, False), ("1.30.0", True, True), ("1.36", True, True)]:
            with self.subTest(version):
                rendered = support.objects(version=version)
                self.assertEqual("x-kubernetes-validations" in support.dump(rendered), has_rules)
                policies = support.of_kind(rendered, "ValidatingAdmissionPolicy")
                self.assertEqual(bool(policies), has_policies)

    def test_selects_by_label_where_there_is_nothing_else(self):
        for version, expected in [("1.20", True), ("1.27.16", True), ("1.28.0", False), ("1.36", False)]:
            with self.subTest(version):
                operator = support.named(support.objects({}, version), "Deployment", "cloudtaser-operator")
                arguments = operator["spec"]["template"]["spec"]["containers"][0]["args"]
                self.assertEqual("--selector=label" in arguments, expected)

    def test_names_images_by_digest_where_one_is_given(self):
        pods = support.pod_templates(support.objects({"operator": {"digest": DIGEST}}))
        images = {name: pod["spec"]["containers"][0]["image"] for name, pod in pods.items()}
        registry = "registry.example.eu/cloudtaser"
        self.assertEqual(images["cloudtaser-operator"], f"{registry}/cloudtaser-operator@{DIGEST}")
        self.assertEqual(images["cloudtaser-agent"], f"{registry}/cloudtaser-agent:0.1.0")

    def test_selectors_select_something(self):
        rendered = support.objects(support.EVERYTHING)
        labels = [pod["metadata"]["labels"] for pod in support.pod_templates(rendered).values()]
        kinds = ("Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment", "DaemonSet")
        for one in support.of_kind(rendered, *kinds):
            with self.subTest(kind=one["kind"], name=one["metadata"]["name"]):
                selector = one["spec"].get("selector", one["spec"].get("podSelector"))
                wanted = selector.get("matchLabels", selector)
                selected = [1 for found in labels if wanted.items() <= found.items()]
                self.assertEqual(len(selected), 1)

    def test_the_operator_is_there_twice_and_for_good(self):
        rendered = support.objects()
        spec = support.named(rendered, "Deployment", "cloudtaser-operator")["spec"]
        container = spec["template"]["spec"]["containers"][0]
        self.assertEqual(spec["replicas"], 2)
        self.assertEqual(
            [one["topologyKey"] for one in spec["template"]["spec"]["topologySpreadConstraints"]],
            ["kubernetes.io/hostname", "topology.kubernetes.io/zone"])
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        self.assertEqual(ports, {"webhook": 10250, "metrics": 8081})
        # What the program is told is what the pod says.
        self.assertIn(f"--port={ports['webhook']}", container["args"])
        self.assertIn(f"--health-port={ports['metrics']}", container["args"])
        for probe in "livenessProbe", "readinessProbe":
            self.assertEqual(container[probe]["httpGet"]["port"], "metrics")
        budget = support.named(rendered, "PodDisruptionBudget", "cloudtaser-operator")
        self.assertEqual(budget["spec"]["maxUnavailable"], 1)

    def test_the_agents_are_where_the_operator_asks_them(self):
        rendered = support.objects(support.EVERYTHING)
        pod = support.pod_templates(rendered)["cloudtaser-agent"]
        source = support.read("Sources", "Components", "Operator", "ClusterAgents.swift")
        asked = re.search(r'static let labels = "(.*)"', source).group(1)
        wanted = dict(part.split("=") for part in asked.split(","))
        self.assertLessEqual(wanted.items(), pod["metadata"]["labels"].items())
        others = [one for name, one in support.pod_templates(rendered).items() if name != "cloudtaser-agent"]
        for other in others:
            self.assertFalse(wanted.items() <= other["metadata"]["labels"].items())
        source = support.read("Sources", "Core", "Protection", "NodeAddress.swift")
        port = int(re.search(r"static let usualPort = (\d+)", source).group(1))
        container, = pod["spec"]["containers"]
        self.assertEqual([one["containerPort"] for one in container["ports"]], [port])
        self.assertIn(f"--listen=0.0.0.0:{port}", container["args"])

    def test_the_operator_gets_through_to_the_agents_and_nobody_else_does(self):
        labels = support.pod_templates(support.objects())["cloudtaser-operator"]["metadata"]["labels"]
        scraper = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
        for metrics_from in [], [scraper]:
            rendered = support.objects({"networkPolicy": {"enabled": True, "metricsFrom": metrics_from}})
            policy = support.named(rendered, "NetworkPolicy", "cloudtaser-agent")["spec"]
            own, *more = policy["ingress"]
            self.assertEqual([one["from"] for one in more], [metrics_from] if metrics_from else [])
            self.assertEqual(own["ports"], [{"port": "metrics", "protocol": "TCP"}])
            who, = own["from"]
            self.assertEqual(set(who), {"podSelector"}, "of the same namespace")
            self.assertLessEqual(who["podSelector"]["matchLabels"].items(), labels.items())
            # It is not kept from going out.
            policy = support.named(rendered, "NetworkPolicy", "cloudtaser-operator")["spec"]
            self.assertEqual(policy["policyTypes"], ["Ingress"])

    def test_registries_are_told_to_the_operator_by_flags_that_it_has(self):
        rendered = support.objects(VARIANTS["changed"])
        pod = support.named(rendered, "Deployment", "cloudtaser-operator")["spec"]["template"]["spec"]
        container = pod["containers"][0]
        told = [flag for flag in container["args"] if flag.startswith("--registry-")]
        self.assertEqual(told, [
            "--registry-credentials=/registries/0/.dockerconfigjson",
            "--registry-credentials=/registries/1/.dockerconfigjson",
            "--registry-mirror=docker.io=https://b.eu/c", "--registry-mirror=a.eu=https://d.eu",
            "--registry-host=docker.io", "--registry-insecure=b.eu:5000",
            "--registry-ca=/registries/ca/ca.crt"])
        program = support.read("Sources", "Executables", "cloudtaser-operator", "RegistryFlags.swift")
        for flag in told:
            words = flag.split("=")[0].strip("-").split("-")
            self.assertIn(f"var {words[0]}{''.join(word.title() for word in words[1:])}:", program)
        # Each file is mounted from what was named.
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {
            mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        self.assertEqual(mounts["/registries/0"]["secret"]["secretName"], "pull")
        self.assertEqual(mounts["/registries/1"]["secret"]["secretName"], "other")
        self.assertEqual(mounts["/registries/ca"]["configMap"]["name"], "ca")
        self.assertEqual(mounts["/tls"]["secret"]["secretName"], "tls")


class Values(unittest.TestCase):
    def test_each_changes_something(self):
        base = support.merged(support.EVERYTHING, {"csi": {"enabled": True}})
        standard = support.templates(base)
        self.assertEqual(sorted(leaves(DEFAULTS)), sorted(CHANGES))
        for path, value in CHANGES.items():
            with self.subTest(path):
                changed = support.merged(base, support.nested(path, value))
                if path in INSTEAD_OF:
                    changed = support.merged(changed, support.nested(INSTEAD_OF[path], ""))
                version = changed.pop("kubernetesVersion", "1.36")
                self.assertNotEqual(support.templates(changed, version), standard)

    def test_a_registry_is_needed(self):
        with self.assertRaisesRegex(helm_python.HelmError, "set image.registry"):
            support.templates({"image": {"registry": ""}})

    def test_an_unknown_name_is_refused_wherever_it_stands(self):
        places = [""] + [path for path in self._objects(DEFAULTS)]
        self.assertGreater(len(places), 8)
        for path in places:
            with self.subTest(path):
                typo = {"misspelt": 1}
                with self.assertRaises(helm_python.HelmError) as refusal:
                    support.templates(support.nested(path, typo) if path else typo)
                self.assertIn("misspelt", str(refusal.exception))

    def _objects(self, values, path=""):
        for name, value in values.items():
            here = f"{path}.{name}" if path else name
            # What their keys are is the user's.
            if isinstance(value, dict) and name not in ("nodeSelector", "labels"):
                yield here
                yield from self._objects(value, here)

    def test_a_value_of_another_type_is_refused(self):
        for path, value in CHANGES.items():
            wrong = 1 if isinstance(value, (str, bool, dict, list)) else "x"
            with self.subTest(path):
                with self.assertRaises(helm_python.HelmError):
                    support.templates(support.nested(path, wrong))

    def test_a_value_out_of_range_is_refused(self):
        for path, value in [
                ("operator.digest", "sha256:1"), ("operator.replicas", 0), ("agent.mode", "kill"),
                ("agent.extraArgs", ["run"]), ("image.registry", "r/"), ("image.tag", "a b"),
                ("csi.kubeletFolder", "var"), ("csi.driverImage", ""), ("kubernetesVersion", "2"),
                ("serviceMonitor.interval", "30"), ("agent.tolerations", [{"operators": "Exists"}]),
                ("registries.mirrors", ["b.eu"]), ("registries.mirrors", ["a/b=https://b.eu"]),
                ("registries.hosts", ["a/b"]), ("registries.credentials", [""]),
                ("operator.resources", {"requests": {"gpu": 1}})]:
            with self.subTest(path):
                with self.assertRaises(helm_python.HelmError):
                    support.templates(support.nested(path, value))

    def test_the_schema_knows_what_there_is(self):
        """Beside `global`, which is Helm's."""
        known = copy.deepcopy(SCHEMA["properties"])
        known.pop("global")
        self.assertEqual(set(known), set(DEFAULTS))
        for name, value in DEFAULTS.items():
            if isinstance(value, dict):
                self.assertEqual(set(known[name]["properties"]), set(value), name)
