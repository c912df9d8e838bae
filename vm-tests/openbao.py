# SPDX-License-Identifier: Apache-2.0
"""A real OpenBao server on loopback over TLS, for the demonstration and the benchmarks.

Everything lives in one private folder (mode 0700) that is removed at the end; the root token
and the unseal key stay in this process's memory.
"""

import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

START_SECONDS_MAX = 60


class VaultError(Exception):
    """The server did not start, or refused a request; the text says which and why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def issue_certificates(folder):
    """A CA and a server certificate for 127.0.0.1 and localhost, valid for thirty days: of seven or fewer
    the tool would tell."""

    def openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise VaultError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "30", "-subj", "/CN=CloudTaser demo CA",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    with open(os.path.join(folder, "server.ext"), "w") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "30", "-extfile", "server.ext", "-out", "server.pem")


class OpenBao:
    """Context manager: a started, unsealed server. `address` and `ca_file` say how to reach it."""

    def __init__(self, binary):
        self.binary = binary
        self.folder = None
        self.process = None
        self.token = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="cloudtaser-openbao.")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        issue_certificates(self.folder)
        port = free_port()
        self.address = f"https://127.0.0.1:{port}"
        self.ca_file = os.path.join(self.folder, "ca.pem")
        self.tls = ssl.create_default_context(cafile=self.ca_file)
        configuration = {
            "storage": {"inmem": {}},
            "disable_mlock": True,
            "listener": {"tcp": {
                "address": f"127.0.0.1:{port}",
                "tls_cert_file": os.path.join(self.folder, "server.pem"),
                "tls_key_file": os.path.join(self.folder, "server.key"),
            }},
        }
        path = os.path.join(self.folder, "server.json")
        with open(path, "w") as file:
            json.dump(configuration, file)
        self.log = open(os.path.join(self.folder, "server.log"), "w")
        self.process = subprocess.Popen(
            [self.binary, "server", f"-config={path}"], stdout=self.log,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self._await_listener()
        keys = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.token = keys["root_token"]
        self._unseal_key = keys["keys_base64"][0]
        self.unseal()

    def seal(self):
        self.call("PUT", "sys/seal")

    def unseal(self):
        self.call("PUT", "sys/unseal", {"key": self._unseal_key})

    def _await_listener(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                with open(self.log.name) as file:
                    raise VaultError("OpenBao ended at once:\n" + file.read()[-2000:])
            try:
                self.call("GET", "sys/seal-status")
                return
            except (VaultError, OSError):
                time.sleep(0.05)
        raise VaultError(f"OpenBao did not answer within {START_SECONDS_MAX} s")

    def call(self, method, path, body=None):
        """One API request; returns the decoded answer, {} when it is empty."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}", method=method,
            data=None if body is None else json.dumps(body).encode())
        if self.token:
            request.add_header("X-Vault-Token", self.token)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise VaultError(f"{method} {path}: status {error.code} {error.read()[:300]!r}")
        return json.loads(text) if text else {}

    def store(self, path, fields):
        """Mounts KV v2 at `secret/` if need be and writes one secret there."""
        if "secret/" not in self.call("GET", "sys/mounts")["data"]:
            self.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        for attempt in range(50):  # the engine upgrades itself after mounting
            try:
                self.call("POST", f"secret/data/{path}", {"data": fields})
                return
            except VaultError as error:
                if attempt == 49 or "Upgrading" not in str(error):
                    raise
                time.sleep(0.1)

    def reader_approle(self, name, path):
        """An AppRole that may only read one path; returns its role id and secret id."""
        policy = f'path "secret/data/{path}" {{ capabilities = ["read"] }}'
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        if "approle/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", "sys/auth/approle", {"type": "approle"})
        self.call("POST", f"auth/approle/role/{name}",
                  {"token_policies": [name], "token_ttl": "10m"})
        role = self.call("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]
        secret = self.call("POST", f"auth/approle/role/{name}/secret-id", {})
        return role, secret["data"]["secret_id"]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None
