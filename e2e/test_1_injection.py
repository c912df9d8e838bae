# SPDX-License-Identifier: Apache-2.0
"""Pods are wrapped by the webhook, and a container's stored command line brings the secret."""
import os
import tempfile
import re
import subprocess
import unittest

import demo

import containers
import kubernetes
import stage
from evidence import evidence

# As OpenBao and Vault write them.
VAULT_TOKEN = re.compile(rb"\b(?:s|b|r|hvs|hvb|hvr)\.[A-Za-z0-9_-]{20,}")


def vault_tokens(pid, folder):
    """In a process's environment, and in the files below a folder."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        content = [file.read()]
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                content.append(file.read())
    return [found for part in content for found in VAULT_TOKEN.findall(part)]


class Injection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = stage.shared()

    def make(self, wanted):
        return self.stage.api.create_pod(wanted["metadata"]["namespace"], wanted)

    def test_the_webhook_belongs_to_the_charts_role(self):
        role = self.stage.api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/cloudtaser-operator")
        owners = self.stage.configuration()["metadata"]["ownerReferences"]
        self.assertEqual([(one["kind"], one["uid"]) for one in owners],
                         [("ClusterRole", role["metadata"]["uid"])])

    @evidence("SIM-INJ-01", "a pod beside it that does not ask is stored with its own command")
    def test_stores_a_pod_that_asks_wrapped_and_another_as_it_is(self):
        """a pod that asks is stored with each container started by the wrapper"""
        self.make(stage.pod("stored"))
        stored = self.stage.stored("stored")
        self.assertTrue(stage.is_wrapped(stored))
        web, = stored["spec"]["containers"]
        self.assertEqual(web["args"], stage.COMMAND[1:])
        variables = {one["name"]: one.get("value", "") for one in web["env"]}
        self.assertEqual(variables["VAULT_ADDR"], self.stage.vault.address)
        self.assertEqual(variables["CLOUDTASER_SECRET_PATHS"], "secret/shop/db")
        install, = stored["spec"]["initContainers"]
        self.assertEqual(install["image"], stage.WRAPPER_IMAGE)
        self.assertEqual(stored["metadata"]["annotations"]["cloudtaser.io/status"], "injected")

        self.make(stage.pod("plain", asks=False))
        plain = self.stage.stored("plain")
        self.assertEqual(plain["spec"]["containers"][0]["command"], stage.COMMAND[:1])
        self.assertNotIn("initContainers", plain["spec"])
        self.control()

    def test_is_asked_about_the_pods_of_a_namespace_that_asks(self):
        path = f"{kubernetes.CORE}/namespaces/bank"
        self.stage.set_policy(["shop", "bank"])
        try:
            self.assertIsNotNone(self.stage.tried(stage.pod("web", "bank", asks=False)))
            self.stage.api.call("PATCH", path, {"metadata": {"labels": {"cloudtaser.io/inject": "true"}}},
                                "application/merge-patch+json")
            stage.eventually("it is wrapped", lambda: self.stage.tried(
                stage.pod("web", "bank", asks=False)) is None)
        finally:
            self.stage.api.call("PATCH", path, {"metadata": {"labels": {"cloudtaser.io/inject": None}}},
                                "application/merge-patch+json")
            self.stage.set_policy(["shop"])

    def test_refuses_what_the_policy_does_not_grant(self):
        for change, text in [
                ({"vault-address": "https://vault.evil.example"}, "vault-address"),
                ({"vault-skip-verify": "true"}, "vault-skip-verify"),
                ({"secret-paths": "secret/bank/db"}, "secret-paths"), ({"vault-role": "bank"}, "vault-role")]:
            with self.subTest(change):
                more = {f"cloudtaser.io/{name}": value for name, value in change.items()}
                said = self.stage.tried(stage.pod("evil", more=more))
                self.assertIn("denied the request", said)
                self.assertIn(f"metadata.annotations[cloudtaser.io/{text}]", said)

    def test_the_stored_command_line_brings_the_secret(self):
        self.make(stage.pod("runs"))
        with tempfile.TemporaryDirectory(prefix="cloudtaser-pod-") as folder:
            os.chmod(folder, 0o755)
            box = containers.Sandbox(
                self.stage.api, self.stage.stored("runs"), folder, self.stage.images())
            code, output, errors = box.run("cloudtaser-install")
            self.assertEqual(code, 0, errors)
            self.assertEqual(output.strip(), "/cloudtaser/bin/cloudtaser-wrapper")
            self.assertEqual(self.first_line(box), [
                "ready", str(len(stage.VALUE)), demo.fingerprint(stage.VALUE)])
            # The control: without the wrapper's words the same container has no such thing.
            web = box.container("web")
            web["command"] = web["command"][3:]
            code, output, _ = box.run("web")
            self.assertEqual(code, 64, output)

    @evidence("SIM-AUTH-02", "the same search finds the token of a login where it was put into both")
    def test_no_vault_token_reaches_the_program(self):
        """the wrapper's vault token is neither in the program's environment nor in a file of the pod"""
        self.make(stage.pod("searched"))
        with tempfile.TemporaryDirectory(prefix="cloudtaser-pod-") as folder:
            os.chmod(folder, 0o755)
            box = containers.Sandbox(
                self.stage.api, self.stage.stored("searched"), folder, self.stage.images())
            code, _, errors = box.run("cloudtaser-install")
            self.assertEqual(code, 0, errors)
            process = box.start("web")
            try:
                self.assertEqual(process.stdout.readline().split()[:1], ["ready"])
                pid = self.application(process.pid)
                self.assertEqual(vault_tokens(pid, folder), [])
                with open(f"/proc/{pid}/environ", "rb") as file:
                    names = [entry.split(b"=")[0] for entry in file.read().split(b"\0")]
                self.assertIn(b"DB_PASSWORD", names)
                own = [name for name in names if name.startswith((b"VAULT_", b"CLOUDTASER_"))]
                self.assertEqual(own, [])
            finally:
                self.end(process)
        self.search_where_there_is_one()

    def search_where_there_is_one(self):
        jwt = self.stage.api.token("shop", "app", "vault")
        answer = self.stage.vault.call("POST", "auth/kubernetes/login", {"role": "shop", "jwt": jwt})
        token = answer["auth"]["client_token"]
        with tempfile.TemporaryDirectory(prefix="cloudtaser-control-") as folder:
            with open(os.path.join(folder, "token"), "w", encoding="utf-8") as file:
                file.write(token)
            sleeping = subprocess.Popen(["sleep", "600"], env={"PATH": "/usr/bin:/bin", "TOKEN": token})
            try:
                # Popen returns within exec, a moment before the kernel shows the new environment.
                found = stage.eventually("its environment is there", lambda: (
                    seen := vault_tokens(sleeping.pid, folder)) and len(seen) > 1 and seen)
                self.assertEqual(found, [token.encode()] * 2)
            finally:
                sleeping.kill()
                sleeping.wait()
        self.control()

    def application(self, pid):
        """The program that a wrapper has started."""
        waiting = [pid]
        while waiting:
            pid = waiting.pop()
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().split(b"\0")[0] == stage.COMMAND[0].encode():
                    return pid
            # The wrapper's programs are children of the thread that traces them.
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children", encoding="utf-8") as file:
                    waiting += file.read().split()
        self.fail("the program is gone")

    def first_line(self, box):
        process = box.start("web")
        try:
            line = process.stdout.readline()
            if not line:
                self.fail(f"ended with {process.wait()}: {process.stderr.read()}")
            return line.split()
        finally:
            self.end(process)

    @staticmethod
    def end(process):
        process.terminate()
        process.wait()
        process.stdout.close()
        process.stderr.close()
