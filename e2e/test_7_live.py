# SPDX-License-Identifier: Apache-2.0
"""`cloudtaser audit` and `discover` read the API server themselves: by an administrator, and by somebody who may not
list everything; and the report in a real browser."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import stage

NAMESPACE = "live"
# Where an element's text stands in a report; what a browser would run is none.
SCRIPT = "<script>document.title='run'</script>"

# What the browser asks for itself.
OWN = re.compile(r"chrome|devtools|https?://[a-z0-9.-]+\.(google|googleapis|gvt1)\.com/")


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()
        cls.stage.kubectl("create", "namespace", NAMESPACE)
        cls.stage.kubectl("create", "serviceaccount", "auditor", "-n", NAMESPACE)
        cls.stage.api.create_pod("shop", stage.pod("live"))

    def kubeconfig(self, token):
        """Of whoever has the token."""
        handle, path = tempfile.mkstemp(suffix=".kubeconfig", dir=self.stage.server.folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "x",
                "clusters": [{"name": "c", "cluster": {
                    "server": self.stage.server.address,
                    "certificate-authority": os.path.join(self.stage.server.folder, "certificate.pem")}}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}, file)
        return path

    def run_tool(self, *words, kubeconfig=None):
        return subprocess.run(
            [self.stage.programs["tool"], *words, "--kubeconfig",
             kubeconfig or self.stage.server.kubeconfig],
            cwd=self.stage.server.folder, capture_output=True, text=True, check=False)

    def dump(self):
        kinds = "pods,secrets,configmaps,serviceaccounts,nodes,deployments.apps,daemonsets.apps,replicasets.apps"
        return json.loads(self.stage.kubectl("get", kinds, "--all-namespaces", "-o", "json"))["items"]

    def test_counts_what_kubectl_lists(self):
        done = self.run_tool("audit", "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        pods = [one for one in self.dump() if one["kind"] == "Pod"]
        self.assertEqual(found["containers"]["protected"], sum(stage.is_wrapped(one) for one in pods))
        self.assertGreater(found["containers"]["protected"], 0)
        self.assertEqual(found["unread"], [])
        self.assertIn(self.stage.server.address, found["run"]["source"])
        # The operator keeps its webhook failing closed, and it is there.
        ids = [one["id"] for one in found["findings"]]
        self.assertNotIn("CT2011", ids)
        self.assertNotIn("CT2012", ids)

    def test_looks_at_one_namespace(self):
        done = self.run_tool("audit", "-o", "json", "--namespace", NAMESPACE)
        self.assertEqual(json.loads(done.stdout)["containers"]["total"], 0, done.stderr)
        discovered = self.run_tool("discover", "-o", "json", "--namespace", "shop")
        self.assertEqual(discovered.returncode, 0, discovered.stderr)
        self.assertEqual(json.loads(discovered.stdout)["unread"], [])

    def test_who_may_not_list_everything_gets_an_incomplete_answer(self):
        token = self.stage.api.token(NAMESPACE, "auditor")
        path = self.kubeconfig(token)
        nothing = self.run_tool("audit", "-o", "json", kubeconfig=path)
        self.assertEqual(nothing.returncode, 4, nothing.stderr)
        unread = json.loads(nothing.stdout)["unread"]
        self.assertIn("the cluster's pods", [one["source"] for one in unread])
        # The control: with the right to list all but Secrets only these are missing.
        # A kind that is not installed is denied like any other to who has no right to it.
        rules = [{"apiGroups": [group], "resources": ["*"], "verbs": ["list"]} for group in (
            "apps", "batch", "networking.k8s.io", "admissionregistration.k8s.io", "cloudtaser.io",
            "gateway.networking.k8s.io", "external-secrets.io", "bitnami.com", "secrets-store.csi.x-k8s.io",
            "secrets.hashicorp.com", "cert-manager.io")]
        rules.append({"apiGroups": [""], "verbs": ["list"], "resources": [
            "namespaces", "nodes", "configmaps", "serviceaccounts", "pods", "replicationcontrollers"]})
        self.stage.kubectl("apply", "-f", "-", text=json.dumps({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "auditor"},
            "rules": rules}))
        self.stage.kubectl("create", "clusterrolebinding", "auditor", "--clusterrole=auditor",
                           f"--serviceaccount={NAMESPACE}:auditor")
        stage.eventually("the rights are in force", lambda: [
            one["source"] for one in json.loads(
                self.run_tool("audit", "-o", "json", kubeconfig=path).stdout)["unread"]] == ["the cluster's secrets"])
        without = self.run_tool("audit", "-o", "json", "--without-secrets", kubeconfig=path)
        self.assertEqual(without.returncode, 0, without.stderr)
        self.assertNotIn("CT2002", [one["id"] for one in json.loads(without.stdout)["findings"]])

    def test_a_token_that_is_none_reads_nothing(self):
        done = self.run_tool("audit", kubeconfig=self.kubeconfig("x" * 20))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("does not know who asks", done.stderr)

    def test_records_what_the_vault_shows_and_what_is_declared(self):
        declarations = os.path.join(self.stage.server.folder, "declarations.yaml")
        with open(declarations, "w", encoding="utf-8") as file:
            json.dump({
                "apiVersion": "cloudtaser.io/v1alpha1", "kind": "AuditDeclarations", "cluster": "e2e",
                "vaults": [{"address": self.stage.vault.address, "jurisdiction": "DE", "declaredBy": "the test",
                            "declaredOn": "2026-11-27"}]}, file)
        words = ["audit", "-o", "json", "--vault-address", self.stage.vault.address,
                 "--vault-cacert", self.stage.vault.ca_file]
        declared = json.loads(self.run_tool(*words, "--declarations", declarations).stdout)
        vault, = declared["vaults"]
        self.assertEqual(vault["state"], "active")
        self.assertEqual(vault["peer"], "127.0.0.1")
        self.assertTrue(vault["certificates"][0]["notAfter"])
        self.assertEqual(vault["declared"]["jurisdiction"], "DE")
        self.assertNotIn("CT2006", [one["id"] for one in declared["findings"]])
        # The control: nobody declared it, and another authority.
        bare = json.loads(self.run_tool(*words).stdout)
        self.assertIn("CT2006", [one["id"] for one in bare["findings"]])
        stranger = json.loads(self.run_tool(
            *words[:-1], os.path.join(self.stage.server.folder, "certificate.pem")).stdout)
        self.assertIsNone(stranger["vaults"][0]["state"])
        self.assertIn("CT2007", [one["id"] for one in stranger["findings"]])


@unittest.skipUnless(shutil.which("chromium"), "chromium is not there: .ci/setup e2e installs it")
class Browser(unittest.TestCase):
    """The report as a person sees it."""

    def setUp(self):
        self.stage = stage.shared()
        folder = tempfile.TemporaryDirectory(prefix="cloudtaser-report-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def page(self, name="a"):
        """A report about an object that is called so, written to a file."""
        manifest = os.path.join(self.folder, "m.json")
        with open(manifest, "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": {
                "containers": [{"name": name, "image": "a", "env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]}}, file)
        page = os.path.join(self.folder, "report.html")
        done = subprocess.run(
            [self.stage.programs["tool"], "audit", manifest, "-o", "html", "--out", page],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return page

    def browse(self, page):
        """(the page's elements as the browser has them, addresses that it asked for)"""
        log = os.path.join(self.folder, "net.json")
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-component-update",
             "--disable-background-networking", "--no-first-run", f"--user-data-dir={self.folder}/profile",
             f"--log-net-log={log}", "--virtual-time-budget=2000", "--dump-dom", f"file://{page}"],
            capture_output=True, text=True, check=False, timeout=stage.SECONDS_MAX)
        with open(log, encoding="utf-8") as file:
            asked = set(re.findall(r'"url":"([^"]+)"', file.read()))
        return done.stdout, {one for one in asked if not OWN.match(one)}

    def test_it_asks_for_nothing_but_itself(self):
        page = self.page()
        document, asked = self.browse(page)
        self.assertIn("CT1006", document)
        self.assertIn("Who can read each container", document)
        self.assertNotIn("hunter2", document)
        self.assertLessEqual({one for one in asked if not one.startswith("file://")}, set())
        # The control: a page that asks for a picture is seen to.
        other = os.path.join(self.folder, "other.html")
        with open(other, "w", encoding="utf-8") as file:
            file.write("<img src='http://127.0.0.1:9/picture'>")
        _, asked = self.browse(other)
        self.assertIn("http://127.0.0.1:9/picture", asked)

    def test_names_are_text(self):
        document, _ = self.browse(self.page(SCRIPT))
        self.assertIn("&lt;script&gt;", document)
        self.assertNotIn("<title>run", document)
        self.assertIn("Audit</title>", document)
        # The control: the same text outside of a report runs.
        other = os.path.join(self.folder, "other.html")
        with open(other, "w", encoding="utf-8") as file:
            file.write(f"<title>x</title><body>{SCRIPT}")
        document, _ = self.browse(other)
        self.assertIn("<title>run</title>", document)
