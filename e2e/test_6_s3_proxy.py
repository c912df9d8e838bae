# SPDX-License-Identifier: Apache-2.0
"""The S3 proxy's pod as the chart renders it and the API server stores it: by the token that is projected for it, it
gets from a real vault what it needs. Another account's token does not."""
import json
import os
import re
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import api_server
import openbao
import support

import containers
import kubernetes
import stage

NAME = "cloudtaser-s3-proxy"
AUDIENCE = "s3-vault"
CLIENT_SECRET = "client-91d04b7e5b0c1f42"
STORE_SECRET = "store-4b7e0d915b0c1f42"


def libraries(program):
    """What it is linked with, and what loads it: by their paths."""
    run = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    return {path: path for path in re.findall(r"(/\S+) \(0x", run.stdout)}


class Pod(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.server = cls.enterClassContext(api_server.ApiServer(
            # Pods' tokens without a controller that makes Secrets of them.
            "--feature-gates=BoundServiceAccountTokenVolume=true,RootCAConfigMap=true"))
        cls.api = kubernetes.Connection(cls.server)
        cls.vault = cls.enterClassContext(openbao.OpenBao(os.environ["CLOUDTASER_OPENBAO"]))
        for namespace in support.NAMESPACE, "vault":
            cls.kubectl("create", "namespace", namespace)
        cls.kubectl("create", "serviceaccount", "vault", "-n", "vault")
        cls.kubectl("create", "serviceaccount", "other", "-n", support.NAMESPACE)
        stage.believe_tokens(cls.vault, cls.server, cls.api)
        cls.set_up_vault()
        rendered = support.objects({"s3Proxy": support.merged(support.S3_PROXY, {
            "vault": {"address": cls.vault.address, "authorities": "s3-vault-ca", "audience": AUDIENCE},
            # This host's kernel is what it is; nobody has to learn that a pod is gone.
            "keys": {"minimumTier": "ordinary"}, "drainSeconds": 0})}, support.OLD_VERSION)
        cls.template = support.named(rendered, "Deployment", NAME)["spec"]["template"]
        cls.apply([one for one in rendered if one["metadata"]["name"] == NAME])

    @classmethod
    def kubectl(cls, *arguments, text=""):
        ok, output = cls.server.kubectl(*arguments, text=text)
        assert ok, output

    @classmethod
    def set_up_vault(cls):
        """With the words of the page."""
        page = support.read("docs", "reference", "s3-proxy.md")
        policy = re.search(r"bao policy write s3-proxy - <<END\n(.*?)END\n", page, re.S).group(1)
        cls.vault.call("POST", "sys/mounts/transit", {"type": "transit"})
        cls.vault.call("POST", "transit/keys/s3-objects", {"derived": True})
        cls.vault.store("s3/clients", {"AKREPORTS0001": CLIENT_SECRET})
        cls.vault.store("s3/upstream", {"access_key_id": "AKSTORE", "secret_access_key": STORE_SECRET})
        cls.vault.call("PUT", "sys/policies/acl/s3-proxy", {"policy": policy})
        cls.vault.call("POST", "auth/kubernetes/role/s3-proxy", {
            "bound_service_account_names": [NAME], "bound_service_account_namespaces": [support.NAMESPACE],
            "audience": AUDIENCE, "token_policies": ["s3-proxy"], "token_ttl": "10m"})

    @classmethod
    def apply(cls, rendered):
        """What the chart brings, and what it is told to find there."""
        key, certificate = (os.path.join(cls.folder, name) for name in ("tls.key", "tls.crt"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", f"/CN={NAME}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        pair = {}
        for path in key, certificate:
            with open(path, encoding="utf-8") as file:
                pair[os.path.basename(path)] = file.read()
        with open(cls.vault.ca_file, encoding="utf-8") as file:
            authority = file.read()
        more = [
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crt": authority}, "metadata": {
                "name": "s3-vault-ca", "namespace": support.NAMESPACE}},
            {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "stringData": pair, "metadata": {
                "name": support.S3_PROXY["tls"]["secretName"], "namespace": support.NAMESPACE}}]
        # The server's word, not kubectl's.
        cls.kubectl("apply", "--validate=false", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": rendered + more}))

    def started(self, name, account=None):
        """A pod of the Deployment's template, by the token of its own account or another's."""
        pod = self.api.create_pod(support.NAMESPACE, {
            "apiVersion": "v1", "kind": "Pod", "spec": self.template["spec"], "metadata": {
                "name": name, "namespace": support.NAMESPACE, "labels": self.template["metadata"]["labels"]}})
        container, = pod["spec"]["containers"]
        self.health = f"127.0.0.1:{openbao.free_port()}"
        # All pods share this host's addresses.
        container["args"] += [f"--listen=127.0.0.1:{openbao.free_port()}", f"--health-listen={self.health}"]
        program = os.path.abspath(os.environ["CLOUDTASER_S3_PROXY"])
        images = {container["image"]: {
            "files": {f"/usr/local/bin/{NAME}": program} | libraries(program),
            "entrypoint": [f"/usr/local/bin/{NAME}"]}}
        sandbox = containers.Sandbox(self.api, pod, tempfile.mkdtemp(dir=self.folder), images, account)
        process = sandbox.start(container["name"])
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def readiness(self, process):
        """(status, text); None: nobody answers yet."""
        if process.poll() is not None:
            raise AssertionError(f"it ended: {process.returncode} {process.communicate()}")
        try:
            with urllib.request.urlopen(f"http://{self.health}/readyz", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None

    def ended(self, process):
        """What it said, after it was told to end, as the kubelet tells it."""
        process.terminate()
        _, said = process.communicate(timeout=90)
        self.assertEqual(process.returncode, 0, said)
        for secret in CLIENT_SECRET, STORE_SECRET, self.vault.token:
            self.assertNotIn(secret, said)
        return said

    def test_its_own_token_makes_it_ready(self):
        process = self.started("own")
        stage.eventually("it is ready", lambda: (self.readiness(process) or (0,))[0] == 200)
        said = self.ended(process)
        self.assertIn("transit/s3-objects wraps and unwraps", said)
        self.assertIn("clients of the vault are in use", said)

    def test_anothers_token_does_not(self):
        """The control: what makes it ready is the token."""
        process = self.started("anothers", account="other")
        stage.eventually("it answers", lambda: self.readiness(process))
        said = ""
        while "clients_failed" not in said:
            line = process.stderr.readline()
            self.assertTrue(line, said)
            said += line
        status, text = self.readiness(process)
        self.assertEqual(status, 503)
        self.assertIn("not had yet: transit key, clients, upstream credentials", text)
        self.assertRegex(said + self.ended(process), "loginRefused")

    def test_its_token_is_good_at_the_vault_only(self):
        token = self.api.token(support.NAMESPACE, NAME, AUDIENCE)
        with self.assertRaises(kubernetes.Refused) as caught:
            kubernetes.Connection(self.server, token).get(
                f"{kubernetes.CORE}/namespaces/{support.NAMESPACE}/configmaps/{NAME}")
        self.assertEqual(caught.exception.status, 401)
        # The control: one for the API server is somebody, who may do nothing.
        with self.assertRaises(kubernetes.Refused) as caught:
            kubernetes.Connection(self.server, self.api.token(support.NAMESPACE, NAME)).get(
                f"{kubernetes.CORE}/namespaces/{support.NAMESPACE}/configmaps/{NAME}")
        self.assertEqual(caught.exception.status, 403)
        with self.assertRaises(openbao.VaultError):
            self.vault.call("POST", "auth/kubernetes/login", {
                "role": "s3-proxy", "jwt": self.api.token(support.NAMESPACE, NAME, "vault")})
