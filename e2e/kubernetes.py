# SPDX-License-Identifier: Apache-2.0
"""Calls to the API server as the administrator, and ServiceAccounts' tokens."""
import base64
import http.client
import json
import os
import ssl
import subprocess
import urllib.parse

CORE = "/api/v1"


class Refused(Exception):
    """What the server said no to; `status` is HTTP's, `message` its own."""

    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Connection:
    """One connection, of one thread. It is made anew when the server has closed it."""

    def __init__(self, server, token="administrator"):
        self._host = urllib.parse.urlsplit(server.address).netloc
        self._trust = ssl.create_default_context(cafile=os.path.join(server.folder, "certificate.pem"))
        self._token = token
        self._connection = None

    def call(self, method, path, body=None, kind="application/json"):
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        text = None if body is None else json.dumps(body)
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, context=self._trust, timeout=60)
        try:
            self._connection.request(method, path, text, headers)
            answer = self._connection.getresponse()
            content = json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException):
            self._connection = None
            raise
        if answer.status >= 300:
            raise Refused(answer.status, content.get("message", ""))
        return content

    def get(self, path):
        return self.call("GET", path)

    def found(self, path):
        """None: it is not there."""
        try:
            return self.get(path)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            return None

    def apply(self, path, body):
        return self.call(
            "PATCH", path + "?fieldManager=e2e&force=true", body, "application/apply-patch+yaml")

    def create_pod(self, namespace, pod, dry_run=False):
        query = "?dryRun=All" if dry_run else ""
        return self.call("POST", f"{CORE}/namespaces/{namespace}/pods{query}", pod)

    def token(self, namespace, account, audience=None, pod=None, seconds=3600):
        """By TokenRequest. audience None: the API server's own; pod: to whom it is bound."""
        spec = {"expirationSeconds": seconds}
        if audience:
            spec["audiences"] = [audience]
        if pod:
            spec["boundObjectRef"] = {
                "apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"]}
        answer = self.call(
            "POST", f"{CORE}/namespaces/{namespace}/serviceaccounts/{account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
        return answer["status"]["token"]


def claims(token):
    """Of a token: header and payload."""
    return tuple(json.loads(_decoded(part)) for part in token.split(".")[:2])


def resigned(server, token, changes):
    """The same token with other claims, signed with the API server's key (ES256)."""
    header, payload = claims(token)
    text = ".".join(_encoded(json.dumps(part).encode()) for part in (header, payload | changes))
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", os.path.join(server.folder, "key.pem")],
        input=text.encode(), capture_output=True, check=True)
    return text + "." + _encoded(_raw_signature(made.stdout))


def _raw_signature(der):
    """r and s of 32 bytes each (RFC 7518, 3.4), of an ECDSA signature in DER."""
    numbers, place = [], 2
    for _ in range(2):
        length = der[place + 1]
        numbers.append(int.from_bytes(der[place + 2:place + 2 + length], "big").to_bytes(32, "big"))
        place += 2 + length
    return b"".join(numbers)


def _decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
