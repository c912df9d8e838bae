# SPDX-License-Identifier: Apache-2.0
"""A cluster where the product runs and all is well, and ways to break it. There is no controller and no node: what these
would write, is written here."""
import base64
import contextlib
import copy
import json
import os
import signal
import socket
import subprocess
import tempfile
import unittest

import jsonschema
import kubernetes
import operators
import stage
import support

APPS = "/apis/apps/v1/namespaces"
OPERATOR = f"{APPS}/{support.NAMESPACE}/deployments/{operators.NAME}"
LOGIN = "auth/kubernetes/role/shop"
SCHEMAS = {"validate": "validation", "status": "status", "doctor": "doctor", "audit": "audit",
           "discover": "discovery", "netpol": "netpol-check"}
MERGE = "application/merge-patch+json"
# What no call may need longer for (seconds); the tool gives a server up after 30.
GIVEN_UP = 100


def schema(command):
    text = support.read("docs", "reference", f"{SCHEMAS[command]}.schema.json")
    return jsonschema.Draft202012Validator(json.loads(text))


def deployment(name="web", more=None, account="app"):
    pod = stage.pod(name, more=more, account=account)
    metadata = pod["metadata"]
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"spec": pod["spec"], "metadata": {
                "annotations": metadata["annotations"], "labels": metadata["labels"] | {"app": name}}}}}


class Cluster(unittest.TestCase):
    """All is well in it."""

    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()
        cls.api = cls.stage.api
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="cloudtaser-tool-"))
        cls.tidy()
        cls.stage.wait_until_all_are_ready()
        cls.api.call("POST", f"{kubernetes.CORE}/nodes", {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-8"}})
        cls.addClassCleanup(cls.api.call, "DELETE", f"{kubernetes.CORE}/nodes/node-8")
        cls.api.call("PATCH", f"{kubernetes.CORE}/nodes/node-8/status", {
            "status": {"nodeInfo": {"kernelVersion": "6.8.0-1-generic"}}}, MERGE)
        cls.run_agent()
        cls.tell_operators(2)
        cls.api.call("POST", f"{APPS}/shop/deployments", deployment())
        cls.addClassCleanup(cls.api.call, "DELETE", f"{APPS}/shop/deployments/web")
        cls.api.create_pod("shop", stage.pod("wrapped"))
        cls.token = cls.write("token", cls.stage.vault.token)

    @classmethod
    def write(cls, name, text):
        path = os.path.join(cls.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    @classmethod
    def tidy(cls):
        """Other tests leave pods and what was said of them; no controller and no kubelet ends them."""
        for namespace in "shop", "bank", "live", support.NAMESPACE:
            for kind in "pods", "deployments", "protectionreports", "networkpolicies":
                if (namespace, kind) != (support.NAMESPACE, "deployments"):
                    cls.stage.server.kubectl("delete", kind, "--all", "-n", namespace, "--grace-period=0", "--force")
        cls.stage.server.kubectl("delete", "nodes", "--all")

    @classmethod
    def run_agent(cls):
        """As the DaemonSet's controller and the kubelet would."""
        template = support.named(cls.stage.version.rendered, "DaemonSet", "cloudtaser-agent")["spec"]["template"]
        pods = f"{kubernetes.CORE}/namespaces/{support.NAMESPACE}/pods"
        made = cls.api.call("POST", pods, {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "agent-8", "labels": template["metadata"]["labels"]},
            "spec": {"nodeName": "node-8", "serviceAccountName": "cloudtaser-agent",
                     "containers": [{"name": "agent", "image": "agent"}]}})
        cls.addClassCleanup(cls.api.call, "DELETE", f"{pods}/agent-8?gracePeriodSeconds=0")
        cls.api.call("PATCH", f"{pods}/{made['metadata']['name']}/status", {"status": {
            "phase": "Running", "podIP": "127.0.0.8", "podIPs": [{"ip": "127.0.0.8"}],
            "conditions": [{"type": "Ready", "status": "True"}]}}, MERGE)

    @classmethod
    def tell_operators(cls, ready):
        cls.api.call("PATCH", OPERATOR + "/status", {"status": {
            "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": ready,
            "availableReplicas": ready}}, MERGE)

    # What is asked

    def run_tool(self, *words, kubeconfig=None, text=None):
        named = [] if text is not None else ["--kubeconfig", kubeconfig or self.stage.server.kubeconfig]
        return subprocess.run(
            [self.stage.programs["tool"], *words, *named], input=text, cwd=self.folder,
            capture_output=True, text=True, check=False, timeout=GIVEN_UP)

    def ask(self, *words, **options):
        """(exit code, what it printed as JSON), which is as its schema says."""
        done = self.run_tool(*words, "-o", "json", **options)
        self.assertTrue(done.stdout, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual([one.message for one in schema(words[0]).iter_errors(found)], [])
        # No token of a vault, whatever was asked.
        self.assertNotIn(self.stage.vault.token, done.stdout + done.stderr)
        return done.returncode, found

    def validate(self, *words, token=True, **options):
        given = ["--vault-token-file", self.token] if token else []
        return self.ask(
            "validate", "--vault-address", self.stage.vault.address, "--vault-cacert", self.stage.vault.ca_file,
            *given, *words, **options)

    def status(self, **options):
        return self.ask("status", "--vault-cacert", self.stage.vault.ca_file, **options)

    def assert_broken(self, identifier, line, state, *words, code=3, text=""):
        """Both commands name it."""
        got, found = self.validate(*words)
        told = [one for one in found["findings"] if one["id"] == identifier]
        self.assertTrue(told, found["findings"])
        self.assertIn(text, told[0]["message"])
        # One thing is broken, and nothing else is told.
        self.assertEqual({one["id"] for one in found["findings"]}, {identifier})
        self.assertEqual(got, code)
        if line:
            got, found = self.status()
            states = {one["name"]: one["state"] for one in found["lines"]}
            self.assertEqual(states[line], state, found)
            self.assertEqual(got, 3)

    # What is broken

    @contextlib.contextmanager
    def frozen(self):
        """Operators that do nothing: what is changed stays so."""
        for one in self.stage.replicas:
            one.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for one in self.stage.replicas:
                one.process.send_signal(signal.SIGCONT)
            stage.eventually("all is well again", lambda: self.stage.tried(stage.pod("probe")) is None)

    @contextlib.contextmanager
    def configured(self, change):
        """change: of the webhook's configuration, None: it is away; the operators put it right at the end."""
        before = self.stage.configuration()
        right = copy.deepcopy(before["webhooks"])
        with self.frozen():
            if change is None:
                self.api.call("DELETE", stage.CONFIGURATION)
            else:
                for webhook in before["webhooks"]:
                    change(webhook)
                self.api.call("PUT", stage.CONFIGURATION, before)
            yield
        stage.eventually(
            "the operators have put it right",
            lambda: (self.stage.configuration() or {}).get("webhooks") == right)

    @contextlib.contextmanager
    def policies(self, *names):
        """These in the place of the one."""
        spec = self.api.get(stage.POLICY)["spec"]
        base = stage.POLICY.rsplit("/", 1)[0]
        self.api.call("DELETE", stage.POLICY)
        try:
            for name in names:
                self.api.call("POST", base, {
                    "apiVersion": "cloudtaser.io/v1alpha1", "kind": "CloudTaserPolicy",
                    "metadata": {"name": name}, "spec": spec})
            yield
        finally:
            for name in names:
                self.api.call("DELETE", f"{base}/{name}")
            self.stage.set_policy(["shop"])

    @contextlib.contextmanager
    def role(self, **changes):
        before = self.stage.vault.call("GET", LOGIN)["data"]
        self.stage.vault.call("POST", LOGIN, changes)
        try:
            yield
        finally:
            self.stage.vault.call("DELETE", LOGIN)
            self.stage.vault.call("POST", LOGIN, {
                name: value for name, value in before.items() if value and name.startswith(("bound", "aud", "token"))})

    def certificate(self, *words, days=30):
        """PEM of a new one and its key's file; words: more of openssl's."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
             str(days), "-subj", "/CN=CloudTaser", "-keyout", "other.key", "-out", "other.crt", *words],
            cwd=self.folder, check=True, capture_output=True)
        with open(os.path.join(self.folder, "other.crt"), encoding="utf-8") as file:
            return file.read()

    def webhook_certificate(self):
        """As docs/how-to/validate-a-deployment.md takes it out of the cluster."""
        encoded = self.stage.kubectl(
            "get", "secret", "cloudtaser-operator-tls", "-n", support.NAMESPACE, "-o", r"jsonpath={.data.tls\.crt}")
        return self.write("webhook.crt", decoded(encoded))


def decoded(text):
    return base64.b64decode(text).decode()


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Hung:
    """Whoever accepts connections and never answers, in an API server's place: each command waits for it beside the
    other tests."""
    COMMANDS = ["validate", "status", "doctor", "audit", "discover"]

    def __init__(self, tool, folder):
        self._socket = socket.create_server(("127.0.0.1", 0))
        path = os.path.join(folder, "hung.kubeconfig")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(kubeconfig(f"https://127.0.0.1:{self._socket.getsockname()[1]}", "x"), file)
        self._runs = {
            name: subprocess.Popen(
                [tool, name, "--kubeconfig", path], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True) for name in self.COMMANDS}

    def ended(self, name):
        """(exit code, standard output, standard error)"""
        run = self._runs[name]
        output, errors = run.communicate(timeout=GIVEN_UP)
        return run.returncode, output, errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for run in self._runs.values():
            run.kill()
            run.communicate()
        self._socket.close()


def kubeconfig(server, token, authority=None):
    cluster = {"server": server} | ({"certificate-authority": authority} if authority else {})
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "x", "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}
