# SPDX-License-Identifier: Apache-2.0
"""The proxy as a process. All that the tests know of its configuration, of what it wants from the
vault and of where it keeps keys stands in this file.

    CLOUDTASER_S3_PROXY=PROGRAM
"""
import hashlib
import os
import re
import subprocess
import urllib.request

from servers import SECONDS_MAX, Server, free_port

TENANT = "e2e"
TRANSIT_KEY = "s3-objects"
RESERVED = ".cloudtaser/"
# A bucket, and the prefix in it under which objects may be there unsealed.
OPEN_BUCKET = "e2e-open"
PASSED_THROUGH = "open/"
CLIENTS_PATH = "s3/clients"
UPSTREAM_PATH = "s3/upstream"
POLICY = f"""
path "secret/data/{CLIENTS_PATH}" {{ capabilities = ["read"] }}
path "secret/data/{UPSTREAM_PATH}" {{ capabilities = ["read"] }}
path "transit/encrypt/{TRANSIT_KEY}" {{ capabilities = ["update"] }}
path "transit/decrypt/{TRANSIT_KEY}" {{ capabilities = ["update"] }}
"""


def clients_secret(credentials):
    """The fields of the vault's secret with what clients sign with: access key to secret."""
    return dict(credentials)


def upstream_secret(access_key, secret):
    return {"access_key_id": access_key, "secret_access_key": secret}


def configuration(proxy):
    """What is in the file that `--config` names: a setting on each line."""
    settings = {
        "listen": f"127.0.0.1:{proxy.port}",
        "health-listen": f"127.0.0.1:{proxy.health_port}",
        "region": proxy.region,
        "tenant": TENANT,
        "upstream-endpoint": proxy.upstream_endpoint,
        "upstream-region": proxy.region,
        "upstream-dialect": proxy.dialect,
        "allow-plain-http-upstream": "true",
        "upstream-credentials-path": f"secret/{UPSTREAM_PATH}",
        "clients-path": f"secret/{CLIENTS_PATH}",
        "vault-address": proxy.vault.address,
        "vault-ca": proxy.vault.ca_file,
        "vault-auth-method": "approle",
        "vault-role": proxy.role,
        "vault-secret-id-file": proxy.secret_id_file,
        "transit-key": TRANSIT_KEY,
        "mode": proxy.mode,
        "pass-through": f"{OPEN_BUCKET}/{PASSED_THROUGH}",
        "drain-seconds": "0",
        "log-level": proxy.log_level,
    }
    if proxy.certificate:
        settings |= {"tls-certificate": proxy.certificate, "tls-key": proxy.key}
    else:
        settings["plain-http"] = "true"
    settings |= proxy.settings
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def command(path):
    return [os.path.abspath(os.environ["CLOUDTASER_S3_PROXY"]), "--config", path]


def epoch_key_name(reference):
    """Where the wrapped epoch key is that an envelope (field 1) names."""
    return f"{RESERVED}ct1/keys/{reference}"


def wrapped_epoch_key(text):
    """The vault's ciphertext in that object."""
    return re.search(rb"vault:v[0-9]+:[A-Za-z0-9+/=]+", text).group().decode()


def epoch_contexts(bucket, reference):
    """The transit context of an epoch key (docs/reference/s3-proxy.md)."""
    parts = [part.encode() for part in (TENANT, bucket, reference)]
    framed = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return [hashlib.sha256(b"CT1 epoch" + framed).digest()]


class Proxy(Server):
    def __init__(self, folder, name, upstream_endpoint, vault, login, certificates=None, mode="epoch",
                 region="us-east-1", dialect="full", log_level="debug", settings=None):
        """log_level: by default every request is told, so that what is in no line is in no log. settings: further
        ones, by their names."""
        scheme = "https" if certificates else "http"
        super().__init__(folder, name, scheme, certificates and certificates["authority"])
        self.folder = folder
        self.upstream_endpoint = upstream_endpoint
        self.vault = vault
        self.mode = mode
        self.dialect = dialect
        self.log_level = log_level
        self.settings = settings or {}
        self.health_port = free_port()
        self.region = region
        self.certificate = certificates and certificates["certificate"]
        self.key = certificates and certificates["key"]
        self.role, secret_id = login
        self.secret_id_file = self._private_file(f"{name}-secret-id", secret_id)
        self._path = self._private_file(f"{name}.conf", configuration(self))

    def _private_file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(text)
        return path

    def command(self):
        return command(self._path)

    def begun(self, *words, **more):
        """The same program with the same settings, for one of its other commands."""
        program, *flags = self.command()
        return subprocess.Popen(
            [program, *words, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=self.environment(), **more)

    def ran(self, *words):
        """To its end: a subprocess.CompletedProcess."""
        with self.begun(*words) as process:
            out, said = process.communicate(timeout=SECONDS_MAX)
        # What it said is held to what all programs may say.
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(out + said)
        return subprocess.CompletedProcess(process.args, process.returncode, out, said)

    def _answers(self):
        """Ready: keys and credentials are there."""
        if not super()._answers():
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def environment(self):
        # What is in this one is nobody's business, and a proxy of the test's own would be asked.
        return {name: value for name, value in os.environ.items()
                if name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")}
