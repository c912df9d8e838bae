# SPDX-License-Identifier: Apache-2.0
"""The proxy as a process. All that the tests believe of its configuration, of what it wants from the
vault and of where it keeps keys stands in this file.

    CLOUDTASER_S3_PROXY=PROGRAM
"""
import json
import os
import re

from servers import Server

TENANT = "e2e"
TRANSIT_KEY = "s3-objects"
RESERVED = ".cloudtaser/"
# The prefix of every bucket under which objects are passed on as they are.
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
    """MAPPING: what is in the file that `--config` names."""
    made = {
        "listen": f"127.0.0.1:{proxy.port}",
        "region": proxy.region,
        "tenant": TENANT,
        "upstream": {"endpoint": proxy.upstream_endpoint, "region": proxy.region, "pathStyle": True,
                     "credentials": f"secret/{UPSTREAM_PATH}"},
        "clients": {"credentials": f"secret/{CLIENTS_PATH}"},
        "vault": {
            "address": proxy.vault.address, "caFile": proxy.vault.ca_file, "method": "approle",
            "roleId": proxy.role, "secretIdFile": proxy.secret_id_file},
        "keys": {"transitKey": TRANSIT_KEY, "mode": proxy.mode, "reservedPrefix": RESERVED},
        "passThrough": [PASSED_THROUGH],
    }
    if proxy.certificate:
        made["tls"] = {"certificateFile": proxy.certificate, "keyFile": proxy.key}
    return made


def command(proxy, path):
    """MAPPING: how it is started."""
    return [os.path.abspath(os.environ["CLOUDTASER_S3_PROXY"]), "--config", path]


def epoch_key_name(reference):
    """MAPPING: where the wrapped epoch key is that an envelope (field 1) names."""
    return f"{RESERVED}keys/{reference}"


def wrapped_epoch_key(text):
    """MAPPING: the vault's ciphertext in that object."""
    return re.search(rb"vault:v[0-9]+:[A-Za-z0-9+/=]+", text).group().decode()


def epoch_contexts(bucket, reference):
    """MAPPING: the transit context of an epoch key, or several to be tried."""
    return [f"CT1 epoch {TENANT} {bucket} {reference}".encode()]


class Proxy(Server):
    def __init__(self, folder, name, upstream_endpoint, vault, login, certificates=None, mode="B",
                 region="us-east-1"):
        scheme = "https" if certificates else "http"
        super().__init__(folder, name, scheme, certificates and certificates["authority"])
        self.folder = folder
        self.upstream_endpoint = upstream_endpoint
        self.vault = vault
        self.mode = mode
        self.region = region
        self.certificate = certificates and certificates["certificate"]
        self.key = certificates and certificates["key"]
        self.role, secret_id = login
        self.secret_id_file = self._private_file(f"{name}-secret-id", secret_id)
        self._path = self._private_file(f"{name}.json", json.dumps(configuration(self)))

    def _private_file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(text)
        return path

    def command(self):
        return command(self, self._path)

    def environment(self):
        # What is in this one is nobody's business, and a proxy of the test's own would be asked.
        return {name: value for name, value in os.environ.items()
                if name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")}
