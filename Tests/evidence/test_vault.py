# SPDX-License-Identifier: Apache-2.0
"""Keys that stay in a real vault: by the program itself, and by the command of the how-to."""
import base64
import json
import os
import re
import socket
import subprocess
import time
import unittest

import packages


class Vault:
    """OpenBao in its development mode, with TLS, on a port of its own."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(
            [packages.OPENBAO, "server", "-dev", "-dev-tls", f"-dev-tls-cert-dir={folder}",
             "-dev-root-token-id=root", "-dev-no-store-token",
             f"-dev-listen-address=127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": folder})
        token = os.path.join(folder, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write("root")
        os.chmod(token, 0o600)
        address, anchors = f"https://127.0.0.1:{port}", os.path.join(folder, "vault-ca.pem")
        self.client = {**os.environ, "BAO_ADDR": address, "BAO_TOKEN": "root",
                       "BAO_CACERT": anchors,
                       "PATH": os.path.dirname(packages.OPENBAO) + ":" + os.environ["PATH"]}
        self.own = {**os.environ, "VAULT_ADDR": address, "VAULT_TOKEN_FILE": token,
                    "VAULT_CACERT": anchors, "CLOUDTASER_MINIMUM_TIER": "locked"}
        deadline = time.monotonic() + 30
        while self.bao("status").returncode != 0:
            assert time.monotonic() < deadline and self.process.poll() is None, "no vault"
            time.sleep(0.1)

    def bao(self, *words):
        return subprocess.run([packages.OPENBAO, *words], env=self.client, capture_output=True,
                              text=True, check=False)

    def public_key(self, name):
        answer = json.loads(self.bao("read", "-format=json", f"transit/keys/{name}").stdout)
        return answer["data"]["keys"]["1"]["public_key"]

    def end(self):
        self.process.terminate()
        self.process.wait()


class InVault(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = Vault(os.path.join(packages.place(), "vault"))
        cls.addClassCleanup(cls.vault.end)
        for words in (["secrets", "enable", "transit"],
                      ["write", "transit/keys/evidence", "type=ecdsa-p256"],
                      ["write", "transit/keys/edwards", "type=ed25519"],
                      ["write", "transit/keys/other", "type=ed25519"]):
            made = cls.vault.bao(*words)
            assert made.returncode == 0, made.stderr

    def package(self, name, environment, *words):
        out = os.path.join(packages.place(), "packages", f"vault-{name}")
        return out, packages.run(
            "evidence", "package", "--for", "dora", *packages.PERIOD, *packages.inputs(),
            "--out", out, "--sign", *words, env=environment)

    def verify(self, out, key):
        result = packages.run("evidence", "verify", out, "--public-key", key)
        self.assertEqual(result.returncode, 0, result.stderr)

    def write(self, name, text):
        path = os.path.join(self.vault.folder, name)
        with open(path, "wb") as file:
            file.write(text)
        return path

    def edwards(self, name="edwards"):
        """As PEM: transit exports the 32 bytes."""
        info = bytes.fromhex("302a300506032b6570032100") \
            + base64.b64decode(self.vault.public_key(name))
        return self.write(f"{name}.pem", b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(info)
                          + b"\n-----END PUBLIC KEY-----\n")

    def test_the_program_has_the_vault_sign(self):
        for key in ("edwards", "transit/edwards"):
            out, made = self.package(key.replace("/", "-"), self.vault.own,
                                     "--vault-transit-key", key, "--public-key", self.edwards())
            self.assertEqual(made.returncode, 4, made.stderr)
            self.verify(out, self.edwards())

    def test_the_program_has_the_vault_sign_with_a_curve(self):
        key = self.write("curve.pub.pem", self.vault.public_key("evidence").encode())
        out, made = self.package("curve", self.vault.own, "--vault-transit-key", "evidence", "--public-key", key)
        self.assertEqual(made.returncode, 4, made.stderr)
        self.verify(out, key)
        # Another kind of the vault's keys signs another way.
        out, made = self.package("kinds", self.vault.own, "--vault-transit-key", "edwards", "--public-key", key)
        self.assertEqual(made.returncode, 1)
        self.assertFalse(os.path.exists(out))

    def test_another_key_of_the_vault_is_refused_and_nothing_is_written(self):
        out, made = self.package("other", self.vault.own, "--vault-transit-key", "other",
                                 "--public-key", self.edwards())
        self.assertEqual(made.returncode, 1)
        self.assertIn("is not the key of --public-key", made.stderr)
        self.assertFalse(os.path.exists(out))

    def test_a_vault_or_key_that_is_not_there_is_told(self):
        for key, environment, text in (
                ("none", self.vault.own, "transit/none"),
                ("edwards", {**self.vault.own, "VAULT_ADDR": ""}, "VAULT_ADDR"),
                ("../edwards", self.vault.own, "is no NAME or MOUNT/NAME")):
            out, made = self.package("absent", environment, "--vault-transit-key", key,
                                     "--public-key", self.edwards())
            self.assertEqual(made.returncode, 1, made.stderr)
            self.assertIn(text, made.stderr)
            self.assertFalse(os.path.exists(out))

    def test_the_command_of_the_how_to_signs(self):
        page = os.path.join(packages.ROOT, "docs", "how-to", "hand-evidence-to-an-auditor.md")
        with open(page, encoding="utf-8") as file:
            command = re.search(r"--sign-with '\n(.*?)'\n", file.read(), re.DOTALL).group(1)
        key = self.write("evidence.pub.pem", self.vault.public_key("evidence").encode())
        out, made = self.package("command", self.vault.client, "--sign-with", command,
                                 "--public-key", key)
        self.assertEqual(made.returncode, 4, made.stderr)
        self.verify(out, key)
