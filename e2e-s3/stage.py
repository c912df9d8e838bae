# SPDX-License-Identifier: Apache-2.0
"""What all tests share: a real vault, real stores, and proxies in front of them over http and https."""
import atexit
import contextlib
import functools
import itertools
import os
import secrets
import shutil
import tempfile

import openbao

import proxy
import targets
import upstreams
from servers import eventually

CLIENT_ACCESS_KEY = "AKCLIENT7E9A5B0C1F42"
# None of these may be in any log, or at the upstream.
CLIENT_SECRET = "client-secret-" + secrets.token_hex(16)
OTHER_ACCESS_KEY = "AKOTHER1F4200E9A5B0C"
OTHER_SECRET = "other-secret-" + secrets.token_hex(16)

_numbers = itertools.count(1)


class Target:
    """An endpoint that clients use, and what is behind it."""

    def __init__(self, endpoint, access_key, secret, authority=None, upstream=None, server=None,
                 prefix="e2e-"):
        self.endpoint = endpoint
        self.access_key = access_key
        self.secret = secret
        self.authority = authority
        self.upstream = upstream
        self.server = server
        self._prefix = prefix

    def client(self, access_key=None, secret=None, **more):
        made = upstreams.client(self.endpoint, access_key or self.access_key, secret or self.secret,
                                self.authority, **more)
        return upstreams.without_expecting(made) if targets.IS_CONTROL else made

    def new_bucket(self):
        name = f"{self._prefix}{secrets.token_hex(3)}-{next(_numbers)}"
        self.client().create_bucket(Bucket=name)
        return name


class Stage:
    def __init__(self, kinds=("rclone", "moto")):
        self._open = contextlib.ExitStack()
        self.folder = tempfile.mkdtemp(prefix="cloudtaser-e2e-s3-")
        self.servers = []
        self.proxies = {}
        self._kinds = kinds
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def close(self):
        self._open.close()
        kept = os.environ.get("E2E_S3_LOGS")
        if kept:
            os.makedirs(kept, exist_ok=True)
            for name in os.listdir(self.folder):
                if name.endswith(".log"):
                    shutil.copy(os.path.join(self.folder, name), kept)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self):
        if targets.IS_NAMED:
            return
        self.upstreams = {
            kind: self.started(getattr(upstreams, kind.capitalize())(self.folder))
            for kind in self._kinds}
        self.vault = self._open.enter_context(openbao.OpenBao(os.environ["CLOUDTASER_OPENBAO"]))
        self._set_up_vault()
        self.certificates = self._certificates()

    def started(self, server):
        """Until the stage is closed."""
        server.start()
        self.servers.append(server)
        self._open.callback(server.kill)
        return server

    def _set_up_vault(self):
        self.vault.call("POST", "sys/mounts/transit", {"type": "transit"})
        self.vault.call("POST", f"transit/keys/{proxy.TRANSIT_KEY}", {
            "type": "aes256-gcm96", "derived": True})
        self.vault.store(proxy.CLIENTS_PATH, proxy.clients_secret({
            CLIENT_ACCESS_KEY: CLIENT_SECRET, OTHER_ACCESS_KEY: OTHER_SECRET}))
        self.vault.store(proxy.UPSTREAM_PATH, proxy.upstream_secret(
            upstreams.ACCESS_KEY, upstreams.SECRET))
        self.vault.call("PUT", "sys/policies/acl/s3", {"policy": proxy.POLICY})
        self.vault.call("POST", "sys/auth/approle", {"type": "approle"})
        self.vault.call("POST", "auth/approle/role/s3", {"token_policies": ["s3"], "token_ttl": "30m"})
        self.role = self.vault.call("GET", "auth/approle/role/s3/role-id")["data"]["role_id"]
        self.secret_ids = []

    def _certificates(self):
        folder = os.path.join(self.folder, "certificates")
        os.makedirs(folder)
        openbao.issue_certificates(folder)
        return {"authority": os.path.join(folder, "ca.pem"),
                "certificate": os.path.join(folder, "server.pem"),
                "key": os.path.join(folder, "server.key")}

    # Endpoints

    def new_proxy(self, kind, scheme="http", endpoint=None, **more):
        """One more replica, in front of the shared upstream or of what forwards to it."""
        secret_id = self.vault.call("POST", "auth/approle/role/s3/secret-id", {})["data"]["secret_id"]
        self.secret_ids.append(secret_id)
        return self.started(proxy.Proxy(
            self.folder, f"proxy-{kind}-{scheme}-{next(_numbers)}",
            endpoint or self.upstreams[kind].endpoint, self.vault, (self.role, secret_id),
            self.certificates if scheme == "https" else None,
            dialect="simple" if kind == "rclone" else "full", **more))

    def new_target(self, kind, scheme="http", endpoint=None, **more):
        """Without a proxy in a control: what forwards to the upstream, or the upstream itself."""
        if targets.IS_CONTROL:
            return Target(endpoint or self.upstreams[kind].endpoint, upstreams.ACCESS_KEY,
                          upstreams.SECRET, upstream=self.upstreams[kind], server=self.upstreams[kind])
        made = self.new_proxy(kind, scheme, endpoint, **more)
        return Target(made.endpoint, CLIENT_ACCESS_KEY, CLIENT_SECRET,
                      self.certificates["authority"] if scheme == "https" else None,
                      self.upstreams[kind], made)

    def target(self, kind, scheme):
        """The one that most tests share."""
        if targets.IS_NAMED:
            get = os.environ.get
            return Target(get("E2E_S3_ENDPOINT"), get("E2E_S3_ACCESS_KEY", ""), get("E2E_S3_SECRET_KEY", ""),
                          get("E2E_S3_CA"), prefix=get("E2E_S3_BUCKET_PREFIX", "e2e-"))
        if (kind, scheme) not in self.proxies:
            self.proxies[kind, scheme] = self.new_target(kind, scheme)
        return self.proxies[kind, scheme]

    def logs(self):
        """What every program has said, as (where, bytes)."""
        paths = [server.log for server in self.servers] + [self.vault.log.name]
        for path in dict.fromkeys(paths):
            with open(path, "rb") as file:
                yield path, file.read()


@functools.cache
def shared():
    stage = Stage()
    atexit.register(stage.close)
    return stage


__all__ = ["Stage", "Target", "eventually", "shared"]
