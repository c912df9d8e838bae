# SPDX-License-Identifier: Apache-2.0
"""What `cloudtaser discover` and `cloudtaser audit` say of the cluster that the other tests left."""
import base64
import json
import subprocess
import unittest

import stage

# Of Secrets of the cluster's own, which the tests before have not seen.
VALUE = "canary-e1f9"
KINDS = "pods,secrets,configmaps,serviceaccounts,nodes,deployments.apps,daemonsets.apps"


class Audit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()
        cls.stage.api.create_pod("shop", stage.pod("audited"))
        cls.stage.api.create_pod("shop", stage.pod("exposed", asks=False) | {"spec": {
            "serviceAccountName": "app",
            "containers": [{
                "name": "web", "image": stage.APPLICATION_IMAGE, "command": stage.COMMAND[:1],
                "env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {
                    "name": "db", "key": "password"}}}]}]}})
        for name in "db", "forgotten":
            cls.stage.kubectl("create", "secret", "generic", name, "-n", "shop",
                              f"--from-literal=password={VALUE}-{name}")
        cls.objects = cls.stage.kubectl("get", KINDS, "--all-namespaces", "-o", "json")

    @classmethod
    def tearDownClass(cls):
        cls.stage.kubectl("delete", "secret", "db", "forgotten", "-n", "shop")

    def run_tool(self, *words):
        """(exit code, what it printed as JSON)"""
        done = subprocess.run(
            [self.stage.programs["tool"], *words, "-o", "json", "-"],
            input=self.objects, capture_output=True, text=True, check=False)
        # The control: the value is in what it reads.
        stored = base64.b64encode(f"{VALUE}-db".encode()).decode()
        self.assertIn(stored, self.objects)
        for text in stored, VALUE:
            self.assertNotIn(text, done.stdout + done.stderr)
        return done.returncode, json.loads(done.stdout)

    def test_counts_every_container_of_the_cluster_once(self):
        code, found = self.run_tool("audit")
        self.assertEqual(code, 0)
        pods = [one for one in json.loads(self.objects)["items"] if one["kind"] == "Pod"]
        wrapped = sum(stage.is_wrapped(one) for one in pods)
        self.assertGreater(wrapped, 0)
        self.assertEqual(found["containers"]["protected"], wrapped)
        words = ("protected", "unprotected", "excluded", "unreadable")
        self.assertEqual(sum(found["containers"][word] for word in words), found["containers"]["total"])
        self.assertNotIn("CT2001", [one["id"] for one in found["findings"]])

    def test_finds_the_pod_that_uses_a_secret_and_the_secret_that_nobody_uses(self):
        code, found = self.run_tool("audit", "--fail-on", "high")
        self.assertEqual(code, 3)
        told = [(one["id"], one["object"]) for one in found["findings"]]
        self.assertIn(("CT1001", "Pod shop/exposed"), told)
        # What the webhook tells the wrapper is no credential.
        self.assertNotIn(("CT1006", "Pod shop/audited"), told)
        orphans = [name for identifier, name in told if identifier == "CT2002"]
        self.assertIn("Secret shop/forgotten", orphans)
        self.assertNotIn("Secret shop/db", orphans)

    def test_discovers_the_use_and_that_it_converts(self):
        _, found = self.run_tool("discover")
        use, = [one for one in found["uses"] if one["object"] == "Pod shop/exposed"]
        self.assertEqual((use["id"], use["subject"], use["keys"], use["converts"]),
                         ("CT1001", "db", ["password"], "yes"))

    def test_converts_a_deployment_that_the_server_takes_and_whose_pod_is_injected(self):
        entry = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
        made = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "old", "namespace": "shop"},
            "spec": {
                "selector": {"matchLabels": {"app": "old"}},
                "template": {"metadata": {"labels": {"app": "old"}}, "spec": {
                    "serviceAccountName": "app",
                    "containers": [{
                        "name": "web", "image": stage.APPLICATION_IMAGE, "command": stage.COMMAND[:1],
                        "env": [entry]}]}}}}
        self.stage.kubectl("apply", "--validate=false", "-f", "-", text=json.dumps(made))
        self.addCleanup(self.stage.kubectl, "delete", "deployment", "old", "-n", "shop")
        stored = self.stage.kubectl("get", "deployment", "old", "-n", "shop", "-o", "json")
        # The control: as it is stored its pod is not injected.
        self.assertFalse(stage.is_wrapped(self.pod_of(json.loads(stored), "unconverted")))
        done = subprocess.run(
            [self.stage.programs["tool"], "discover", "--patch", "--vault-role", "shop", "-"],
            input=stored, capture_output=True, text=True, check=True)
        self.stage.kubectl("apply", "--validate=false", "-f", "-", text=done.stdout)
        after = json.loads(self.stage.kubectl("get", "deployment", "old", "-n", "shop", "-o", "json"))
        container, = after["spec"]["template"]["spec"]["containers"]
        self.assertNotIn("env", container)
        self.assertEqual(
            after["spec"]["template"]["metadata"]["annotations"]["cloudtaser.io/secret-paths"], "secret/shop/db")
        self.assertTrue(stage.is_wrapped(self.pod_of(after, "converted")))

    def test_writes_a_network_policy_that_the_server_takes(self):
        done = subprocess.run(
            [self.stage.programs["tool"], "netpol", "-", "--vault-address", self.stage.vault.address,
             "--vault-cidr", "127.0.0.0/8"],
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
                stage.pod("asking") | {"metadata": stage.pod("asking")["metadata"] | {
                    "labels": {"cloudtaser.io/inject": "true", "app": "asking"}}}]}),
            capture_output=True, text=True, check=True)
        self.stage.kubectl("apply", "--validate=false", "-f", "-", text=done.stdout)
        self.addCleanup(self.stage.kubectl, "delete", "networkpolicy", "--all", "-n", "shop")
        found = json.loads(self.stage.kubectl("get", "networkpolicies", "-n", "shop", "-o", "json"))
        policy, = found["items"]
        self.assertEqual(policy["spec"]["podSelector"]["matchLabels"]["app"], "asking")
        self.assertEqual(policy["spec"]["policyTypes"], ["Egress"])
        # What the server made of it is evaluated as what was written.
        checked = subprocess.run(
            [self.stage.programs["tool"], "netpol", "check", "-", "-o", "json"],
            input=json.dumps(found), capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(checked.stdout)["unread"], [])

    def pod_of(self, deployment, name):
        """As a controller makes it, of which there is none here; stored by nobody."""
        template = deployment["spec"]["template"]
        metadata = {one: template["metadata"].get(one, {}) for one in ("labels", "annotations")}
        return self.stage.api.create_pod("shop", {
            "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
            "metadata": metadata | {"name": name, "namespace": "shop"}}, dry_run=True)
