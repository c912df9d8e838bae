# SPDX-License-Identifier: Apache-2.0
"""`cloudtaser install` on a real API server, by the released helm and by kubectl: what is there then, what a second time, an
upgrade and a way back change, and what is left in the end. Nothing runs what is installed: there is no node."""
import json
import os
import subprocess
import tempfile
import unittest

import api_server
import documents
import kubernetes
import stage
import support

RELEASE = ["--namespace", support.NAMESPACE]
VALUES = ["--set", "image.registry=registry.example.eu/cloudtaser"]
DEFINITIONS = {"CustomResourceDefinition/cloudtaserpolicies.cloudtaser.io",
               "CustomResourceDefinition/protectionreports.cloudtaser.io"}
# Written by an API server, a controller or a client at any time.
PASSING = {"resourceVersion", "uid", "creationTimestamp", "managedFields", "generation", "selfLink", "annotations"}
PASSING_KINDS = {"events", "componentstatuses", "apiservices", "namespaces", "leases", "flowschemas",
                 "prioritylevelconfigurations"}
POLICY = os.path.join(support.ROOT, "deploy", "examples", "policy.yaml")


class Installed(unittest.TestCase):
    """On an API server of its own, with nothing in it."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(api_server.ApiServer())
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="cloudtaser-install-"))
        cls.shell = documents.Shell(cls.server, cls.folder)
        cls.api = kubernetes.Connection(cls.server)

    def setUp(self):
        self.do("kubectl", "create", "namespace", support.NAMESPACE)
        self.before = self.objects()

    def tearDown(self):
        # No controller empties a namespace here.
        self.do("kubectl", "delete", "secrets,serviceaccounts,configmaps", "--all", *RELEASE)
        self.shell.forget_namespace(support.NAMESPACE)

    def run_words(self, *words, text=None, without_helm=False):
        return subprocess.run(
            list(words), cwd=support.ROOT, env=self.shell.environment(without_helm), input=text,
            stdin=subprocess.DEVNULL if text is None else None, capture_output=True, text=True, check=False)

    def do(self, *words, **options):
        done = self.run_words(*words, **options)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        return done.stdout

    def install(self, *words, **options):
        done = self.run_words(self.shell.tool, "install", *words, **options)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        return done

    def objects(self):
        # A kind that is just going is listed as one, and is not there.
        return stage.eventually("every kind can be listed", self.listed)

    def listed(self):
        """By kind and name: every object, without what passes; None: a kind could not be listed."""
        items = []
        for path in self.places():
            try:
                listed = self.api.get(path)
            except (ValueError, kubernetes.Refused):
                return None
            kind = listed["kind"].removesuffix("List")
            items += [{"kind": kind, "apiVersion": listed["apiVersion"]} | one for one in listed["items"]]
        found = {}
        for one in items:
            metadata = one["metadata"]
            if metadata.get("labels", {}).get("owner") == "helm" or metadata["name"] == "kube-root-ca.crt":
                continue
            # Another one each time.
            for name in "clusterIP", "clusterIPs":
                one.get("spec", {}).pop(name, None)
            name = "/".join(part for part in (one["kind"], metadata.get("namespace"), metadata["name"]) if part)
            self.versions[name] = metadata["resourceVersion"]
            found[name] = {key: value for key, value in one.items() if key not in ("metadata", "status")} | {
                "metadata": {key: value for key, value in metadata.items() if key not in PASSING}}
        return found

    def places(self):
        """Paths of all kinds that can be listed, each once."""
        groups = ["/api/v1"] + [
            f"/apis/{one['preferredVersion']['groupVersion']}" for one in self.api.get("/apis")["groups"]]
        for group in groups:
            try:
                resources = self.api.get(group)["resources"]
            except (ValueError, kubernetes.Refused):
                # On its way.
                continue
            for one in resources:
                if "list" in one["verbs"] and one["name"] not in PASSING_KINDS:
                    yield f"{group}/{one['name']}"

    @property
    def versions(self):
        return self.__dict__.setdefault("_versions", {})

    def added(self):
        return set(self.objects()) - set(self.before)

    def wanted(self, text):
        """What was rendered, by kind and name."""
        names = set()
        for one in support.load_all(text):
            names.add("/".join(part for part in (
                one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) if part))
        return names


class ByHelm(Installed):
    def history(self):
        text = self.do("helm", "history", "cloudtaser", *RELEASE, "-o", "json")
        return [(one["revision"], one["status"]) for one in json.loads(text)]

    def replicas(self):
        return json.loads(self.do(
            "kubectl", "get", "deployment", "cloudtaser-operator", *RELEASE, "-o", "json"))["spec"]["replicas"]

    def test_lint_is_content_and_refuses_what_is_misspelt(self):
        chart = os.path.join("deploy", "helm", "cloudtaser")
        self.assertNotIn("WARN", self.do("helm", "lint", "--strict", chart, *VALUES))
        for program in (["helm", "lint"], [self.shell.tool, "install", "--chart"]):
            done = self.run_words(*program, chart, *VALUES, "--set", "operater.replicas=3")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("operater", done.stdout + done.stderr)

    def test_rendered_is_what_the_library_of_the_other_tests_renders(self):
        for version in "1.25.0", "1.30.0", "1.36.0":
            text = self.do("helm", "template", "cloudtaser", "deploy/helm/cloudtaser", *RELEASE, *VALUES,
                           "--kube-version", version)
            known = support.objects(version="", values={"kubernetesVersion": version})
            with self.subTest(version):
                self.assertEqual(sorted(map(support.dump, support.load_all(text))), sorted(map(support.dump, known)))

    def test_from_the_first_time_to_the_last(self):
        self.install("--apply", "--dry-run", "server", *VALUES)
        self.assertEqual(self.added(), set())
        told = self.install("--apply", *VALUES)
        self.assertIn("helm upgrade --install cloudtaser", told.stderr)
        self.assertIn("STATUS: deployed", told.stdout)
        # Everything that helm says it has installed is there, and nothing else.
        manifest = self.do("helm", "get", "manifest", "cloudtaser", *RELEASE)
        self.assertEqual(self.added(), self.wanted(manifest))
        first, versions = self.objects(), dict(self.versions)
        # The second time nothing changes but the release's number.
        self.install("--apply", *VALUES)
        self.assertEqual(self.objects(), first)
        self.assertEqual(self.versions, versions)
        # As docs/how-to/install.md has it, with one value more: what was set before stays.
        self.install("--apply", *VALUES, "--set", "agent.mode=detect")
        self.do("helm", "upgrade", "cloudtaser", "deploy/helm/cloudtaser", *RELEASE, "--reset-then-reuse-values",
                "--set", "operator.replicas=3")
        self.assertEqual(self.replicas(), 3)
        agent = self.do("kubectl", "get", "daemonset", "cloudtaser-agent", *RELEASE, "-o", "json")
        self.assertIn("detect", agent)
        self.do("helm", "rollback", "cloudtaser", "1", *RELEASE)
        self.assertEqual(self.objects(), first)
        self.assertEqual(self.history()[-1], (5, "deployed"))
        self.remove_and_come_back(first)

    def remove_and_come_back(self, first):
        self.do("kubectl", "wait", "--for=condition=Established", "--timeout=120s",
                "crd/cloudtaserpolicies.cloudtaser.io")
        self.do("kubectl", "apply", "-f", POLICY)
        self.do("helm", "uninstall", "cloudtaser", *RELEASE)
        # What docs/how-to/install.md says that stays.
        policy = "CloudTaserPolicy/cluster"
        self.assertEqual(self.added(), DEFINITIONS | {policy})
        # Whoever installs it again finds the policy as it was.
        self.install("--apply", *VALUES)
        again = self.objects()
        self.assertIsNotNone(again.pop(policy))
        self.assertEqual(again, first)
        self.do("helm", "uninstall", "cloudtaser", *RELEASE)
        self.do("kubectl", "delete", "crd", "cloudtaserpolicies.cloudtaser.io", "protectionreports.cloudtaser.io")
        stage.eventually("nothing is left", lambda: self.objects() == self.before)


class ByKubectl(Installed):
    """The base is for Kubernetes from 1.30: what 1.20 does not know, the kubectl of this test leaves out and tells."""

    def run_words(self, *words, **options):
        return super().run_words(*words, **({"without_helm": True} | options))

    def test_from_the_first_time_to_the_last(self):
        rendered = self.do(self.shell.tool, "install")
        told = self.install("--apply", "--dry-run", "server")
        self.assertIn("kubectl apply -f - --dry-run=server", told.stderr)
        self.assertEqual(self.added(), set())
        self.install("--apply")
        left_out = {one for one in self.wanted(rendered) if one.startswith("ValidatingAdmissionPolicy")}
        self.assertTrue(left_out)
        self.assertEqual(self.added(), self.wanted(rendered) - left_out)
        first, versions = self.objects(), dict(self.versions)
        again = self.install("--apply")
        # "configured", where a field is sent again that 1.20 does not store.
        self.assertLessEqual({line.split()[-1] for line in again.stdout.splitlines()}, {"unchanged", "configured"})
        self.assertEqual((self.objects(), self.versions), (first, versions))
        # docs/how-to/install.md, without Helm.
        self.do("kubectl", "delete", "--ignore-not-found", "-f", "-", text=rendered)
        stage.eventually("nothing is left", lambda: self.objects() == self.before)

    def test_what_only_helm_does_is_refused_and_nothing_is_done(self):
        for words in (["--set", "a=b"], ["--chart", "x"], ["-n", "other"], ["--values", "x"]):
            done = self.run_words(self.shell.tool, "install", "--apply", *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn("helm is not in PATH", done.stderr)
        self.assertEqual(self.added(), set())

    def test_an_api_server_that_is_away(self):
        path = os.path.join(self.folder, "away.kubeconfig")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(documents.kubeconfig("https://127.0.0.1:1", "x"), file)
        for without in True, False:
            done = self.run_words(
                self.shell.tool, "install", "--apply", "--kubeconfig", path, *([] if without else VALUES),
                without_helm=without)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("kubectl ended with" if without else "helm ended with", done.stderr)


del Installed
