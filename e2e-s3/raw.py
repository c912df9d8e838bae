# SPDX-License-Identifier: Apache-2.0
"""Requests as no client would send them: signed here (Signature Version 4), cut, changed, late."""
import datetime
import hashlib
import hmac
import http.client
import socket
import ssl
import urllib.parse
import xml.etree.ElementTree as ElementTree

EMPTY = hashlib.sha256(b"").hexdigest()


class Answer:
    """`is_cut`: the connection ended before the end that the head promised."""

    def __init__(self, status, headers, body, is_cut):
        self.status = status
        self.headers = headers
        self.body = body
        self.is_cut = is_cut

    @property
    def code(self):
        """Of an error document."""
        try:
            document = ElementTree.fromstring(self.body)
        except ElementTree.ParseError:
            return None
        return next((one.text for one in document.iter() if one.tag.split("}")[-1] == "Code"), None)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:300]!r} cut: {self.is_cut}"


class Signer:
    def __init__(self, target, access_key=None, secret=None, region="us-east-1", ahead=0):
        """ahead: seconds that its clock goes before ours."""
        self.target = target
        self.access_key = access_key or target.access_key
        self.secret = secret or target.secret
        parts = urllib.parse.urlsplit(target.endpoint)
        self.scheme, self.host, self.port, self.netloc = (
            parts.scheme, parts.hostname, parts.port, parts.netloc)
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=ahead)
        self.time = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.time[:8]}/{region}/s3/aws4_request"
        key = ("AWS4" + self.secret).encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        self.key = key

    def signature(self, kind, *lines):
        text = "\n".join([f"AWS4-HMAC-SHA256{kind}", self.time, self.scope, *lines])
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()

    def signed(self, method, path, query=(), headers=None, payload=EMPTY, unsigned=()):
        """The target and headers to be sent. unsigned: names of headers that are left out of it."""
        fields = {"host": self.netloc, "x-amz-date": self.time, "x-amz-content-sha256": payload}
        fields |= {name.lower(): value for name, value in (headers or {}).items()}
        quoted = urllib.parse.quote(path, safe="/~")
        text = "&".join(f"{urllib.parse.quote(n, safe='~')}={urllib.parse.quote(v, safe='~')}"
                        for n, v in sorted(query))
        names = sorted(name for name in fields if name not in unsigned)
        canonical = "\n".join([
            method, quoted, text, *(f"{name}:{fields[name].strip()}" for name in names), "",
            ";".join(names), payload])
        signature = self.signature("", hashlib.sha256(canonical.encode()).hexdigest())
        fields["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}")
        return quoted + (f"?{text}" if text else ""), fields, signature

    def send(self, method, path, query=(), headers=None, body=b"", payload=None, unsigned=()):
        if payload is None:
            payload = hashlib.sha256(body).hexdigest()
        target, fields, _ = self.signed(method, path, query, headers, payload, unsigned)
        return exchange(self.target, method, target, fields, body)

    # Bodies in chunks

    def chunked(self, path, chunks, trailer=None, signs=True, change=None, said=None, query=()):
        """PUT in the form `aws-chunked`. trailer: (name, value). change(list of pieces): what is done to
        the framed pieces before they are sent. said: the decoded length that is told."""
        payload = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if signs else "STREAMING-UNSIGNED-PAYLOAD") + (
            "-TRAILER" if trailer else "")
        fields = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(
            sum(map(len, chunks)) if said is None else said)}
        if trailer:
            fields["x-amz-trailer"] = trailer[0]
        target, fields, signature = self.signed("PUT", path, query, fields, payload)
        pieces = []
        for chunk in [*chunks, b""]:
            line = f"{len(chunk):x}"
            if signs:
                signature = self.signature(
                    "-PAYLOAD", signature, EMPTY, hashlib.sha256(chunk).hexdigest())
                line += f";chunk-signature={signature}"
            # The last one's end is the empty line after the trailer.
            pieces.append(line.encode() + b"\r\n" + chunk + (b"\r\n" if chunk else b""))
        if trailer:
            text = f"{trailer[0]}:{trailer[1]}"
            pieces.append(text.encode() + b"\r\n")
            if signs:
                signature = self.signature(
                    "-TRAILER", signature, hashlib.sha256((text + "\n").encode()).hexdigest())
                pieces.append(f"x-amz-trailer-signature:{signature}\r\n".encode())
        pieces.append(b"\r\n")
        if change:
            pieces = change(pieces)
        return exchange(self.target, "PUT", target, fields, b"".join(pieces))


def connection(target, timeout=120):
    parts = urllib.parse.urlsplit(target.endpoint)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout,
            context=ssl.create_default_context(cafile=target.authority))
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


def exchange(target, method, path, headers, body=b""):
    """One request on a connection of its own, and all of the answer that comes."""
    link = connection(target)
    try:
        link.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            link.putheader(name, value)
        if body or method in ("PUT", "POST"):
            link.putheader("content-length", str(len(body)))
        link.endheaders()
        try:
            link.send(body)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass  # Refused before its end: what counts is the answer.
        return read(link)
    finally:
        link.close()


def read(link):
    try:
        answer = link.getresponse()
    except (http.client.BadStatusLine, ConnectionError, ssl.SSLError):
        return Answer(0, {}, b"", True)
    try:
        body = answer.read()
        return Answer(answer.status, answer.headers, body, False)
    except http.client.IncompleteRead as cut:
        return Answer(answer.status, answer.headers, cut.partial, True)
    except (ConnectionError, ssl.SSLError):
        return Answer(answer.status, answer.headers, b"", True)


def fetched(client, bucket, key, target, headers=None, **more):
    """GET by a presigned request: every byte that came, also before a cut."""
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key, **more}, 600)
    parts = urllib.parse.urlsplit(url)
    link = connection(target)
    try:
        link.request("GET", f"{parts.path}?{parts.query}", headers=headers or {})
        try:
            answer = link.getresponse()
        except (http.client.BadStatusLine, ConnectionError, ssl.SSLError):
            return Answer(0, {}, b"", True)
        body, is_cut = b"", False
        promised = int(answer.headers.get("content-length", -1))
        while True:
            try:
                piece = answer.read1(1 << 20)
            except (http.client.HTTPException, ConnectionError, ssl.SSLError):
                is_cut = True
                break
            if not piece:
                break
            body += piece
        return Answer(answer.status, answer.headers, body, is_cut or (promised >= 0 and len(body) < promised))
    finally:
        link.close()


def half_a_put(target, path, length, part):
    """Sends the head of a PUT and the first bytes of its body, and hangs up."""
    signer = Signer(target)
    address, fields, _ = signer.signed("PUT", path, payload="UNSIGNED-PAYLOAD")
    link = connection(target)
    link.putrequest("PUT", address, skip_host=True, skip_accept_encoding=True)
    for name, value in (fields | {"content-length": str(length)}).items():
        link.putheader(name, value)
    link.endheaders()
    link.send(part)
    # So that what was sent is not thrown away with the connection.
    with_end = link.sock
    try:
        with_end.shutdown(socket.SHUT_WR) if not isinstance(with_end, ssl.SSLSocket) else with_end.unwrap()
    except (OSError, ssl.SSLError):
        pass
    link.close()
