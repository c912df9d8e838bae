# SPDX-License-Identifier: Apache-2.0
"""The store of the story: `rclone serve s3`, the S3 proxy before it, and rclone as a client of either."""
import os
import secrets

import proxy
from servers import Server

STORE_KEYS = "AKSTORE0001", "store-" + secrets.token_hex(16)
CLIENT_KEYS = "AKREPORTS0001", "client-" + secrets.token_hex(16)
REGION = "us-east-1"


class Store(Server):
    """Objects are files."""

    def __init__(self, folder, program):
        super().__init__(folder, "store")
        self._program = program
        self.files = os.path.join(folder, "store")
        # A bucket.
        os.makedirs(os.path.join(self.files, "invoices"))

    def command(self):
        return [self._program, "serve", "s3", "--addr", f"127.0.0.1:{self.port}", self.files]

    def environment(self):
        # Keys in the environment: a command line is for everybody to see.
        return dict(os.environ) | {"RCLONE_AUTH_KEY": f'"{",".join(STORE_KEYS)}"', "RCLONE_CONFIG": "/dev/null"}


def set_up_vault(vault):
    """Returns the proxy's login. The demonstration's AppRole mount may be there already."""
    vault.call("POST", "sys/mounts/transit", {"type": "transit"})
    vault.call("POST", f"transit/keys/{proxy.TRANSIT_KEY}", {"derived": True})
    vault.store(proxy.CLIENTS_PATH, proxy.clients_secret(dict([CLIENT_KEYS])))
    vault.store(proxy.UPSTREAM_PATH, proxy.upstream_secret(*STORE_KEYS))
    # The mount and a role, whose policy the next calls replace.
    vault.reader_approle("s3", proxy.CLIENTS_PATH)
    vault.call("PUT", "sys/policies/acl/s3", {"policy": proxy.POLICY})
    role = vault.call("GET", "auth/approle/role/s3/role-id")["data"]["role_id"]
    return role, vault.call("POST", "auth/approle/role/s3/secret-id", {})["data"]["secret_id"]


def remotes(store, front):
    """rclone's environment: `store:` is asked past the proxy, `proxy:` is the proxy."""
    made = {"RCLONE_CONFIG": "/dev/null"}
    for name, server, keys in ("STORE", store, STORE_KEYS), ("PROXY", front, CLIENT_KEYS):
        settings = {"TYPE": "s3", "PROVIDER": "Other", "REGION": REGION, "ENDPOINT": server.endpoint,
                    "ACCESS_KEY_ID": keys[0], "SECRET_ACCESS_KEY": keys[1]}
        made |= {f"RCLONE_CONFIG_{name}_{key}": value for key, value in settings.items()}
    return made
