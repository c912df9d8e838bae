# SPDX-License-Identifier: Apache-2.0
"""What the chart renders for 1.20, by a real kube-apiserver of that version."""
import json
import unittest

import api_server
import crd
import support
import swift_cases
from test_policy_schema import OLD, policy

RENDERED = support.objects(
    {"networkPolicy": {"enabled": True}, "s3Proxy": support.S3_PROXY}, support.OLD_VERSION)


class RealServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(api_server.ApiServer())
        cls.kubectl("create", "namespace", support.NAMESPACE)
        cls.kubectl("create", "namespace", "shop")
        ok, cls.applied = cls.apply(*RENDERED)
        assert ok, cls.applied
        for name in "cloudtaserpolicies", "protectionreports":
            cls.kubectl("wait", "--for=condition=Established", "--timeout=120s",
                        f"crd/{name}.cloudtaser.io")

    @classmethod
    def kubectl(cls, *arguments, text=""):
        ok, output = cls.server.kubectl(*arguments, text=text)
        assert ok, output
        return output

    @classmethod
    def apply(cls, *documents, options=()):
        # The server's word, not kubectl's.
        return cls.server.kubectl(
            "apply", "--validate=false", *options, "-f", "-", text=cls.list_of(documents))

    @staticmethod
    def list_of(documents):
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})

    def test_takes_everything(self):
        lines = self.applied.splitlines()
        self.assertEqual(len([line for line in lines if line.endswith(" created")]), len(RENDERED))
        # What was stored is what was meant: nothing more is to be changed.
        self.assertEqual(self.kubectl("diff", "-f", "-", text=self.list_of(RENDERED)), "")
        changed = support.merged(
            support.named(RENDERED, "PodDisruptionBudget", "cloudtaser-operator"),
            {"spec": {"maxUnavailable": 2}})
        same, difference = self.server.kubectl("diff", "-f", "-", text=json.dumps(changed))
        self.assertFalse(same)
        self.assertIn("+  maxUnavailable: 2", difference)

    def test_finds_nothing_wrong_with_the_schemas(self):
        for name in "cloudtaserpolicies", "protectionreports":
            definition = json.loads(self.kubectl("get", "crd", f"{name}.cloudtaser.io", "-o", "json"))
            states = {one["type"]: one["status"] for one in definition["status"]["conditions"]}
            self.assertEqual(states.get("NonStructuralSchema", "False"), "False")
            self.assertEqual(states["Established"], "True")

    def test_says_of_each_policy_what_the_schema_here_says(self):
        good, large = swift_cases.accepted()
        verdicts = set()
        for name, spec in (good | large | swift_cases.refused()).items():
            with self.subTest(name):
                taken, said = self.apply(policy(spec), options=["--dry-run=server"])
                self.assertEqual(taken, not crd.complaints(OLD, policy(spec)), said)
                verdicts.add(taken)
        self.assertEqual(verdicts, {True, False})

    def test_stores_a_good_policy_and_keeps_unknown_fields_for_the_operator(self):
        spec = swift_cases.accepted()[0]["everything"]
        spec["grants"][0]["namespaceLabel"] = {"team": "b"}
        ok, said = self.apply(policy(spec))
        self.assertTrue(ok, said)
        stored = json.loads(self.kubectl("get", "cloudtaserpolicy", "cluster", "-o", "json"))
        self.assertEqual(stored["spec"], spec)
        self.assertEqual(stored["metadata"]["generation"], 1)
        self.kubectl("delete", "cloudtaserpolicy", "cluster")

    def test_stores_the_example(self):
        example = support.load_all(support.read("deploy", "examples", "policy.yaml"))[0]
        ok, said = self.apply(example)
        self.assertTrue(ok, said)
        stored = json.loads(self.kubectl("get", "cloudtaserpolicy", "cluster", "-o", "json"))
        self.assertEqual(stored["spec"], example["spec"])
        # The columns' paths are read when they are shown.
        self.assertIn("cluster", self.kubectl("get", "cloudtaserpolicies"))

    def test_says_of_each_report_what_the_schema_here_says(self):
        definition = support.named(RENDERED, "CustomResourceDefinition", "protectionreports.cloudtaser.io")
        base, *rest = support.cases("reports.yaml")
        ok, said = self.apply(base["base"])
        self.assertTrue(ok, said)
        # A status is written on its own, and what is said beside a spec is dropped.
        self.assertNotIn("status", self.stored_report())
        place = "/apis/cloudtaser.io/v1alpha1/namespaces/shop/protectionreports/web"
        verdicts = set()
        for case in rest:
            report = support.merged(base["base"], case.get("change", {}))
            report["metadata"]["resourceVersion"] = self.stored_report()["metadata"]["resourceVersion"]
            with self.subTest(case["name"]):
                # Each place takes its own part, and keeps what it has of the other.
                for path, other in (place, "status"), (place + "/status", "spec"):
                    given = support.merged(report, {other: None})
                    effective = support.merged(
                        given, {"spec": base["base"]["spec"]} if other == "spec" else {})
                    taken, said = self.server.kubectl(
                        "replace", "--raw", path + "?dryRun=All", "-f", "-", text=json.dumps(given))
                    self.assertEqual(taken, not crd.complaints(definition, effective), said)
                    verdicts.add((path == place, taken))
        self.assertEqual(len(verdicts), 4)

    def stored_report(self):
        return json.loads(
            self.kubectl("get", "protectionreport", "web", "-n", "shop", "-o", "json"))

    def test_the_operator_may_do_what_it_has_to_and_no_more(self):
        account = f"system:serviceaccount:{support.NAMESPACE}:cloudtaser-operator"
        own, tls = support.NAMESPACE, "cloudtaser-operator-tls"
        for expected, verb, what, namespace in [
                ("yes", "get", f"secrets/{tls}", own), ("yes", "update", f"secrets/{tls}", own),
                ("yes", "create", "secrets", own), ("no", "get", "secrets/other", own),
                ("no", "list", "secrets", own), ("no", "get", f"secrets/{tls}", "shop"),
                ("yes", "update", "leases.coordination.k8s.io/cloudtaser-operator", own),
                ("no", "update", "leases.coordination.k8s.io/other", own),
                ("yes", "delete", f"secrets/{tls}", own), ("no", "delete", "secrets/other", own),
                ("yes", "update", "mutatingwebhookconfigurations/cloudtaser", own),
                ("no", "update", "mutatingwebhookconfigurations/other", own),
                ("yes", "delete", "mutatingwebhookconfigurations/cloudtaser", own),
                ("no", "delete", "mutatingwebhookconfigurations/other", own),
                ("yes", "get", "clusterroles/cloudtaser-operator", own),
                ("no", "get", "clusterroles/other", own), ("no", "update", "clusterroles/cloudtaser-operator", own),
                ("yes", "watch", "cloudtaserpolicies", own), ("no", "update", "cloudtaserpolicies", own),
                ("yes", "list", "namespaces", own), ("no", "get", "pods", "shop")]:
            with self.subTest(verb=verb, what=what, namespace=namespace):
                _, said = self.server.kubectl(
                    "auth", "can-i", verb, what, "--as", account, "-n", namespace)
                # Beside a warning, in either order.
                self.assertIn(expected, said.splitlines())
