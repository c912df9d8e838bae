# SPDX-License-Identifier: Apache-2.0
"""Command blocks of the tutorial and the how-tos, played as a reader would, on a real API server. A block that is not in
these lists fails the test: it has to be played, or to say why not."""
import contextlib
import json
import os
import shutil
import tempfile
import time
import unittest

import api_server
import documents
import kubernetes
import openbao
import operators
import stage
import support
import whole

TUTORIAL = "tutorial/first-protected-pod.md"
OUTPUT = "what is printed, or a file; no command"
NEEDS_NODE = "needs a kubelet: runs a program in a pod"
NEEDS_CONTROLLER = "needs the Deployments' controller"
# By page and block. A number: the exit code of what is played. A text: why it is not played.
HOW_TOS = {
    "how-to/convert-a-workload.md": [0, 0, OUTPUT, 0, 0],
    "how-to/find-what-is-exposed.md": [0, 0, 3],
    "how-to/gate-a-pipeline.md": [3, 0, OUTPUT, OUTPUT, 0],
    "how-to/restrict-the-network.md": [0, 0, 0, 0, 0],
    "how-to/validate-a-deployment.md": [0, OUTPUT, 0, 0, 0, 0],
}
# The last one: nobody has started the operator, which is of severity high.
SCHEDULE = ("how-to/schedule-audits.md", [0, 0, "runs in the CronJob's pod: tested by its words", 0, 3])
INSTALL = ("how-to/install.md", [
    "builds images: no container runtime here", 0, 0, 0, 0, OUTPUT, 0, 0, 0, 0])
TUTORIAL_BLOCKS = [0, 0, 0, 0, 0, 0, 0, OUTPUT, 0, NEEDS_NODE, 0, NEEDS_CONTROLLER, 0, 0, 0]
TOOL = ("how-to/install-the-tool.md", [
    "builds", "copies into /usr/local", "writes into folders of the user's shells", "tested by test_8_tool"])
# Words of kubectl within blocks that are played, and are not done.
NOT_DONE = {
    "how-to/restrict-the-network.md": ["exec -n shop deploy/web -- wget -T 3 -O - https://example.org"],
    "how-to/schedule-audits.md": ["-n cloudtaser-system logs job/cloudtaser-audit-first"],
    "how-to/install.md": [
        "-n cloudtaser-system rollout status deployment/cloudtaser-operator",
        "-n cloudtaser-system rollout status daemonset/cloudtaser-agent"],
    TUTORIAL: [
        "-n vault rollout status deployment/openbao",
        "-n cloudtaser-system rollout status deployment/cloudtaser-operator",
        "-n cloudtaser-system rollout status daemonset/cloudtaser-agent",
        "-n shop rollout status deployment/web", "-n shop logs deployment/web"],
}
CHART = """\
apiVersion: v2
name: chart
version: 0.1.0
"""


class Player:
    """Plays blocks in a folder, and holds them against a list."""

    def play_page(self, page, expected, change=None, around=None):
        blocks = documents.blocks(page)
        self.assertEqual(len(blocks), len(expected), f"{page}: list its blocks in e2e/test_8_documents.py")
        for index, ((_, text), wanted) in enumerate(zip(blocks, expected)):
            if isinstance(wanted, str):
                continue
            with self.subTest(page, block=index):
                done = self.play(change(text) if change else text)
                self.assertEqual(done.returncode, wanted, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
                if around:
                    around(index, done)
        self.assertEqual(self.shell.not_done(), NOT_DONE.get(page, []))


class HowTos(Player, whole.Cluster):
    """On a cluster where the product runs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shell = documents.Shell(cls.stage.server, cls.folder)
        cls.write_files()

    @classmethod
    def write_files(cls):
        """What a reader of these pages has."""
        for name in "manifests", "chart/templates":
            os.makedirs(os.path.join(cls.folder, name))
        old = whole.deployment("old")
        del old["spec"]["template"]["metadata"]["annotations"]
        old["spec"]["template"]["metadata"]["labels"] = {"app": "old"}
        old["spec"]["template"]["spec"]["serviceAccountName"] = "app"
        old["spec"]["template"]["spec"]["containers"][0]["env"] = [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "db", "key": name.lower()}}}
            for name in ("USER", "PASSWORD")]
        asking = json.dumps(whole.deployment("web"))
        cls.write("manifests/old.yaml", json.dumps(old) + "\n")
        cls.write("manifests/web.yaml", "---\n" + asking + "\n")
        cls.write("chart/Chart.yaml", CHART)
        cls.write("chart/templates/old.yaml", json.dumps(old))
        cls.write("chart/templates/web.yaml", asking)
        cls.write("secrets.yaml", json.dumps({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"},
            "stringData": {"user": "a", "password": "b"}}))
        policy = cls.api.get(stage.POLICY)
        cls.write("policy.yaml", json.dumps({
            "apiVersion": policy["apiVersion"], "kind": policy["kind"], "metadata": {"name": "cluster"},
            "spec": policy["spec"]}))
        cls.write("others.yaml", "\n---\n" + json.dumps({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "others", "namespace": "shop"},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": []}}) + "\n---\n")
        cls.write("declarations.yaml", json.dumps({
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "AuditDeclarations", "cluster": "e2e"}))
        shutil.copy(cls.stage.vault.ca_file, os.path.join(cls.folder, "vault-ca.crt"))

    def play(self, text):
        vault = self.stage.vault
        # Theirs is in the system's authorities.
        return self.shell.play(text, {
            "BAO_ADDR": vault.address, "BAO_TOKEN": vault.token, "BAO_CACERT": vault.ca_file,
            "SSL_CERT_FILE": vault.ca_file, "CURL_CA_BUNDLE": vault.ca_file})

    def change(self, text):
        """Its reader's own addresses."""
        text = text.replace("https://vault.example.eu:8200", self.stage.vault.address)
        return text.replace("cloudtaser status\n", "cloudtaser status --vault-cacert vault-ca.crt\n")

    def grant(self, role):
        """Step 4 of the conversion is words: the policy grants the role, and the vault has it."""
        spec = self.api.get(stage.POLICY)["spec"]
        spec["grants"][0]["roles"].append(role)
        self.api.call("PATCH", stage.POLICY, {"spec": spec}, whole.MERGE)
        self.addCleanup(self.stage.set_policy, ["shop"])
        path = f"auth/kubernetes/role/{role}"
        self.stage.vault.call("POST", path, {
            "bound_service_account_names": ["app"], "bound_service_account_namespaces": ["shop"], "audience": "vault"})
        self.addCleanup(self.stage.vault.call, "DELETE", path)

    def test_each_page(self):
        self.addCleanup(
            self.stage.server.kubectl, "delete", "deployments/old", "networkpolicies", "-n", "shop", "--all")
        self.grant("web")
        for page, expected in HOW_TOS.items():
            self.play_page(page, expected, self.change)
        # What was converted was applied.
        made = self.api.get(f"{whole.APPS}/shop/deployments/old")
        annotations = made["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(annotations["cloudtaser.io/secret-paths"], "secret/shop/db")
        self.assertTrue(self.api.get("/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies")["items"])

    def test_a_block_that_fails_is_seen(self):
        self.assertNotEqual(self.play("cloudtaser discover no-such-folder/").returncode, 0)
        self.assertNotEqual(self.play("cloudtaser discover manifests/\nkubectl get nothing-such\ntrue\n").returncode, 0)
        self.assertNotEqual(self.play("kubectl get nothing-such | cat\n").returncode, 0)


class Tutorial(Player, unittest.TestCase):
    """From an empty cluster; the operator that is started is the one of the release that helm makes."""

    def setUp(self):
        open_ = self.enterContext(contextlib.ExitStack())
        self.server = open_.enter_context(api_server.ApiServer(
            "--enable-aggregator-routing=true", "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            "--feature-gates=BoundServiceAccountTokenVolume=true,RootCAConfigMap=true"))
        self.folder = open_.enter_context(tempfile.TemporaryDirectory(prefix="cloudtaser-tutorial-"))
        self.vault = open_.enter_context(openbao.OpenBao(os.environ["CLOUDTASER_OPENBAO"]))
        self.vault.store("other", {"a": "b"})
        self.shell = documents.Shell(self.server, self.folder)
        self.api = kubernetes.Connection(self.server)
        shutil.copytree(os.path.join(support.ROOT, "deploy"), os.path.join(self.folder, "deploy"))
        self.replicas = []
        self.addCleanup(lambda: [one.kill() for one in self.replicas])

    def play(self, text):
        # `registry=…` is set in one block and used in another.
        return self.shell.play("registry=registry.example.eu/cloudtaser\n" + text, {
            "PLAYED_VAULT": self.vault.address, "PLAYED_TOKEN": self.vault.token, "BAO_CACERT": self.vault.ca_file,
            "PASSWORD": "x"})

    def change(self, text):
        lines = [line for line in text.splitlines()]
        # grep finds nothing, which is what it is asked for; this machine is no node, and there is none.
        passing = ("grep -c", "cloudtaser doctor", "cloudtaser status")
        return "\n".join(
            line.split("   ")[0] + " || true" if any(word in line for word in passing) else line for line in lines) + "\n"

    def start_operator(self):
        """In the place of the Deployment's controller and a kubelet."""
        deployment = self.api.get(whole.OPERATOR)
        container, = deployment["spec"]["template"]["spec"]["containers"]
        path = os.path.join(self.folder, "operator.kubeconfig")
        # No controller makes accounts' tokens here either: by TokenRequest.
        with open(path, "w", encoding="utf-8") as file:
            json.dump(documents.kubeconfig(
                self.server.address, self.api.token(support.NAMESPACE, operators.NAME),
                os.path.join(self.server.folder, "certificate.pem")), file)
        self.replicas.append(operators.Replica(
            os.path.abspath(os.environ["CLOUDTASER_OPERATOR"]), container["args"], path,
            os.path.join(self.folder, f"operator-{time.monotonic_ns()}.log")))
        self.endpoints = operators.Endpoints(kubernetes.Connection(self.server), lambda: list(self.replicas))
        self.endpoints.start()
        self.addCleanup(self.endpoints.end)
        stage.eventually("the webhook is configured", lambda: self.api.found(stage.CONFIGURATION))
        stage.eventually("the operator is ready", lambda: all(one.is_ready for one in self.replicas))
        self.endpoints.seen()

    def pod(self):
        """As the controller would make it of the template. None: it is taken and wrapped; or why not."""
        template = self.api.get(f"{whole.APPS}/shop/deployments/web")["spec"]["template"]
        try:
            made = self.api.create_pod("shop", {
                "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
                "metadata": {"name": "web-1"} | {
                    key: template["metadata"].get(key, {}) for key in ("labels", "annotations")}}, dry_run=True)
        except kubernetes.Refused as refusal:
            return refusal.message
        command = made["spec"]["containers"][0]["command"]
        return None if command[:2] == ["/cloudtaser/bin/cloudtaser-wrapper", "run"] else f"starts {command}"

    def after(self, index, done):
        """What a reader sees, or would see if there were a node."""
        if index == 3:
            role = self.vault.call("GET", "auth/kubernetes/role/shop")["data"]
            self.assertEqual((role["bound_service_account_names"], role["audience"]), (["web"], "vault"))
            self.assertEqual(
                self.vault.call("GET", "secret/data/shop/db")["data"]["data"], {"password": "correct-horse"})
        elif index == 4:
            # Before there is a policy.
            self.start_operator()
        elif index == 6:
            self.assertIn("would be injected", done.stdout)
            stage.eventually("a pod of it is wrapped", lambda: self.pod() is None)
        elif index == 8:
            self.assertEqual(done.stdout.split(), ["0", "0"])
        elif index == 10:
            self.assertIn("is no role that the policy grants", self.pod())
            # What block 11 undoes.
            self.api.call("PATCH", f"{whole.APPS}/shop/deployments/web", {"spec": {"template": {"metadata": {
                "annotations": {"cloudtaser.io/vault-role": "shop"}}}}}, whole.MERGE)
            self.assertIsNone(self.pod())
        elif index == 12:
            # While nobody answers.
            self.replicas.pop().kill()
            self.endpoints.seen()
            stage.eventually("no pod starts", lambda: "failed calling webhook" in (self.pod() or ""))

    def test_from_an_empty_cluster_and_back(self):
        page = documents.blocks(TUTORIAL)
        self.assertEqual(len(page), len(TUTORIAL_BLOCKS))
        before = self.api.get("/apis")
        self.play_page(TUTORIAL, TUTORIAL_BLOCKS, self.change, self.after)
        stage.eventually("no kind is left", lambda: self.api.get("/apis") == before)
        for name in "shop", "vault", support.NAMESPACE:
            self.shell.forget_namespace(name)
        for kind in "clusterroles", "clusterrolebindings":
            items = self.api.get(f"/apis/rbac.authorization.k8s.io/v1/{kind}")["items"]
            self.assertEqual([one for one in items if "cloudtaser" in json.dumps(one)
                              or one["metadata"]["name"].startswith("openbao")], [])
        self.assertIsNone(self.api.found(stage.CONFIGURATION))
        self.play_the_how_tos_of_an_administrator()

    def play_the_how_tos_of_an_administrator(self):
        """On what the tutorial has left: nothing."""
        self.shell.play("cp /etc/ssl/certs/ca-certificates.crt . || touch ca-certificates.crt")
        self.shell.play("cp ca-certificates.crt vault-ca.crt")
        page, expected = INSTALL
        self.play_page(page, expected[:-2] + ["at the end"] * 2, self.prepare_install)
        self.play_page(*SCHEDULE, self.change)
        for (_, text), wanted in list(zip(documents.blocks(page), expected))[-2:]:
            text = "\n".join(line for line in text.splitlines() if "cloudtaser-agent uninstall" not in line)
            self.assertEqual(self.play(text).returncode, wanted, text)

    def prepare_install(self, text):
        text = text.replace("/etc/ssl/certs/ca-certificates.crt", "ca-certificates.crt")
        # Nobody makes them before an operator runs, or pods.
        missing = ("get pod -l app=web", "get protectionreports", "lease/cloudtaser-operator")
        return "\n".join(
            line + " || true" if any(word in line for word in missing) else line for line in text.splitlines()) + "\n"


class Lists(unittest.TestCase):
    def test_every_page_with_commands_for_users_is_listed(self):
        self.assertEqual(len(documents.blocks(TOOL[0])), len(TOOL[1]))
        listed = {TUTORIAL, SCHEDULE[0], INSTALL[0], TOOL[0], *HOW_TOS}
        issue = {"convert-a-workload", "find-what-is-exposed", "gate-a-pipeline", "restrict-the-network",
                 "schedule-audits", "validate-a-deployment", "install", "install-the-tool"}
        self.assertLessEqual({f"how-to/{one}.md" for one in issue}, listed)
