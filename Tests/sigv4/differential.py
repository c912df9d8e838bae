#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes requests that botocore signed, for Tests/RequestSignatureTests to verify and sign again.

Needs botocore from PyPI, no network and no account. One JSON object a line:

  kind        header, query, trailer (STREAMING-UNSIGNED-PAYLOAD-TRAILER), chunks
              (STREAMING-AWS4-HMAC-SHA256-PAYLOAD) or chunks-trailer
  method, target, fields, now, region, accessKey, secret, token
  path, query base64 of the decoded path; decoded parameters without those of signing
  unsigned    names of fields that the HTTP library adds after signing
  body        what goes over the wire: base64, and numbers for so many next bytes of the rule
  plain       base64 of what the body means, or the length of a body by the rule: byte i is
              i * 7 + 3 modulo 256
  chunk       length of every chunk but the last
  checksum    algorithm of the trailer
  expires     seconds, of the query form

botocore signs requests and makes bodies with a trailer; it has no code for signed chunks. Those
are made here, after AWS's reference, on top of a head that botocore signed.

Usage: differential.py [--seed N] [--count N] > Fixtures/sigv4/botocore.jsonl
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import io
import json
import random
import struct
import sys
import zlib
from urllib.parse import quote

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpchecksum import (
    AwsChunkedWrapper, Crc32Checksum, Sha1Checksum, Sha256Checksum)

REGIONS = ["us-east-1", "eu-central-1", "eu-north-1", "local"]
METHODS = ["GET", "PUT", "HEAD", "DELETE", "POST"]
PIECES = [
    "a", "Z", "0", "-", ".", "_", "~", "/", "//", "..", "/../", "/./", " ", "  ", "+", "%", "%41",
    "%2F", "&", "=", "?", "#", ":", ";", ",", "@", "!", "$", "'", "(", ")", "*", "[", "]", "{",
    "}", "|", "\\", "^", "`", "<", ">", '"', "\t", "\n", "\r", "\x00", "\x7f", "é", "ß", "日本",
    "🙂", "e\u0301", "\u00a0", "\u202e"]
HEADERS = [
    "x-amz-meta-a", "x-amz-meta-long-name", "X-Amz-Meta-CAPITALS", "content-type",
    "Cache-Control", "content-disposition", "x-amz-acl", "x-amz-storage-class", "range",
    "if-none-match", "content-md5", "x-amz-tagging", "accept-encoding", "x-amz-copy-source",
    "x-custom", "User-Agent", "Expect", "x-amzn-trace-id"]
VALUES = [
    "plain", "two words", "  around  ", "inner   spaces    many", "a,b", "a, b ,c", "", "é ü",
    "text/plain; charset=utf-8", "bytes=0-9", '"quoted   text"', "=?UTF-8?B?w6k=?=", "日本",
    "a\tb", "%20+%2B"]
PARAMETERS = [
    "uploads", "acl", "partNumber", "uploadId", "prefix", "delimiter", "list-type", "marker",
    "versionId", "response-content-type", "a", "A", "a b", "é", "x-id", "max-keys", "aa", "a-"]


def bits(value, count):
    return value.to_bytes(count, "big")


class Castagnoli:
    """CRC-32C, which botocore leaves to awscrt."""
    polynomial, width = 0x82F63B78, 4

    def __init__(self):
        self.full = (1 << 8 * self.width) - 1
        self.register = self.full

    def update(self, data):
        for byte in data:
            self.register ^= byte
            for _ in range(8):
                low = self.register & 1
                self.register = self.register >> 1 ^ (self.polynomial if low else 0)

    def digest(self):
        return bits(self.register ^ self.full, self.width)

    def b64digest(self):
        return base64.b64encode(self.digest()).decode("ascii")


class Nvme(Castagnoli):
    """CRC-64/NVME, likewise."""
    polynomial, width = 0x9A6C9329AC4BC9B5, 8


CHECKSUMS = {
    "crc32": Crc32Checksum, "crc32c": Castagnoli, "crc64nvme": Nvme, "sha1": Sha1Checksum,
    "sha256": Sha256Checksum}


def check_values():
    """The published ones, so that an error here is not taken for one there."""
    for name, wanted in [("crc32", "cbf43926"), ("crc32c", "e3069283"),
                         ("crc64nvme", "ae8b14860a799888")]:
        checksum = CHECKSUMS[name]()
        checksum.update(b"123456789")
        assert checksum.digest().hex() == wanted, name
    assert zlib.crc32(b"123456789") == struct.unpack(">I", bytes.fromhex("cbf43926"))[0]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def key(self):
        count = self.random.randint(0, 12)
        return "".join(self.random.choice(PIECES) for _ in range(count))

    def parameters(self):
        """Decoded pairs; repeated names and empty values among them."""
        pairs = []
        for _ in range(self.random.randint(0, 5)):
            value = self.random.choice(["", "1", self.key()])
            pairs.append((self.random.choice(PARAMETERS), value))
            if self.random.random() < 0.2:
                pairs.append((pairs[-1][0], self.random.choice(["", "0", "2", self.key()])))
        return pairs

    def parameter(self, name, value):
        name = quote(name, safe="-_.~")
        if value == "" and self.random.random() < 0.5:
            return name
        return f"{name}={quote(value, safe='-_.~')}"

    def headers(self):
        found = []
        for name in self.random.sample(HEADERS, self.random.randint(0, 6)):
            found.append((name, self.random.choice(VALUES)))
            if self.random.random() < 0.2:
                found.append((name, self.random.choice(VALUES)))
        return found

    def credentials(self):
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        access = "AKIA" + "".join(self.random.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(8))
        secret = "".join(
            self.random.choice(letters) for _ in range(self.random.choice([40, 8, 64, 100])))
        token = None
        if self.random.random() < 0.3:
            token = "".join(self.random.choice(letters) for _ in range(60)) + "=="
        return Credentials(access, secret, token)

    def body(self, largest):
        return self.random.randbytes(self.random.choice([0, 1, 10, 100, largest]))

    def request(self, kind):
        secure = kind in ("trailer", "query") or self.random.random() < 0.5
        host = self.random.choice(
            ["bucket.s3.amazonaws.com", "s3.example.eu", "127.0.0.1:9000", "[::1]:9000"])
        path = "/" + self.key()
        pairs = self.parameters()
        if kind == "query":
            # botocore's own code reads the query into a dictionary there.
            pairs = list(dict(pairs).items())
        query = "&".join(self.parameter(name, value) for name, value in pairs)
        url = ("https" if secure else "http") + "://" + host + quote(path, safe="/~")
        if query:
            url += "?" + query
        request = AWSRequest(
            method=self.random.choice(METHODS), url=url)
        for name, value in self.headers():
            request.headers.add_header(name, value)
        return request, path, pairs, host


def run(signer, request, moment):
    botocore.auth.get_current_datetime = lambda: moment
    signer.add_auth(request)


def target(url):
    return "/" + url.split("://", 1)[1].split("/", 1)[1]


def line(maker, kind):
    request, path, pairs, host = maker.request(kind)
    credentials = maker.credentials()
    region = maker.random.choice(REGIONS)
    moment = datetime.datetime(2013, 5, 24, tzinfo=datetime.timezone.utc)
    moment += datetime.timedelta(seconds=maker.random.randint(0, 400_000_000))
    made = {"kind": kind, "region": region, "now": int(moment.timestamp())}
    plain = maker.body(200)
    wire = plain
    if kind == "query":
        made["expires"] = maker.random.choice([1, 60, 3600, 604800])
        signer = botocore.auth.S3SigV4QueryAuth(
            credentials, "s3", region, expires=made["expires"])
    elif kind in ("header", "trailer"):
        signer = botocore.auth.S3SigV4Auth(credentials, "s3", region)
    else:
        signer = ChunkAuth(credentials, "s3", region)
    if kind == "header":
        request.data = plain
        if request.url.startswith("https") and maker.random.random() < 0.3:
            # With these, botocore leaves the body unsigned.
            del request.headers["content-md5"]
            request.headers["Content-MD5"] = text(hashlib.md5(plain).digest())
            request.context["has_streaming_input"] = True
            request.context["payload_signing_enabled"] = False
        if maker.random.random() < 0.2:
            request.headers["Date"] = "replaced by botocore"
    if kind in ("trailer", "chunks", "chunks-trailer"):
        prepare_chunks(maker, request, kind, made)
        plain, wire = made.pop("plain_bytes"), None
        signer.content = made.pop("content", "")
    run(signer, request, moment)
    if kind == "trailer":
        wire = AwsChunkedWrapper(
            io.BytesIO(plain), checksum_cls=CHECKSUMS[made["checksum"]],
            checksum_name="x-amz-checksum-" + made["checksum"], chunk_size=made["chunk"]).read()
    elif wire is None:
        wire = signed_chunks(credentials, region, request, plain, made)
    fields = [[name, value] for name, value in request.headers.items()]
    fields.append(["host", host])
    made.update({
        "method": request.method, "target": target(request.url), "fields": fields,
        "accessKey": credentials.access_key, "secret": credentials.secret_key,
        "token": credentials.token, "path": text(path.encode()),
        "query": [[name, value] for name, value in pairs],
        "body": [text(wire)] if kind in ("header", "query") else shortened(wire, plain, made),
        "plain": text(plain) if kind in ("header", "query") else len(plain)})
    return made


def shortened(wire, plain, made):
    """The framing as it is; the data, which follows a rule, as lengths."""
    parts = []
    for start in range(0, len(plain), made["chunk"]):
        data = plain[start:start + made["chunk"]]
        before, wire = wire.split(b"\r\n" + data + b"\r\n", 1)
        parts += [text(before + b"\r\n"), len(data)]
        wire = b"\r\n" + wire
    return parts + [text(wire)]


def text(data):
    return base64.b64encode(data).decode("ascii")


def prepare_chunks(maker, request, kind, made):
    """What AWS's reference wants in the head, before it is signed."""
    made["chunk"] = maker.random.choice([8192, 8193])
    count = maker.random.choice([0, 1, 8191, 8192, 9000])
    made["plain_bytes"] = bytes((index * 7 + 3) & 255 for index in range(count))
    request.headers["Content-Encoding"] = "aws-chunked"
    request.headers["X-Amz-Decoded-Content-Length"] = str(count)
    if kind != "chunks":
        made["checksum"] = maker.random.choice(list(CHECKSUMS))
        request.headers["X-Amz-Trailer"] = "x-amz-checksum-" + made["checksum"]
    if kind == "trailer":
        request.headers["Transfer-Encoding"] = "chunked"
        request.context["checksum"] = {"request_algorithm": {
            "in": "trailer", "algorithm": made["checksum"],
            "name": "x-amz-checksum-" + made["checksum"]}}
        return
    value = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if kind != "chunks" else "")
    made["content"] = value


class ChunkAuth(botocore.auth.S3SigV4Auth):
    """botocore's, with another word for the body."""
    content = ""

    def payload(self, request):
        return self.content


def signed_chunks(credentials, region, request, plain, made):
    def mac(key, message):
        return hmac.new(key, message.encode(), hashlib.sha256).digest()

    moment = request.context["timestamp"]
    key = ("AWS4" + credentials.secret_key).encode()
    for part in [moment[:8], region, "s3", "aws4_request"]:
        key = mac(key, part)
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    previous = request.headers["Authorization"].rsplit("Signature=", 1)[1]
    empty = hashlib.sha256(b"").hexdigest()
    wire = b""
    size = made["chunk"]
    for start in list(range(0, len(plain), size)) + [None]:
        data = b"" if start is None else plain[start:start + size]
        previous = mac(key, "\n".join([
            "AWS4-HMAC-SHA256-PAYLOAD", moment, scope, previous, empty,
            hashlib.sha256(data).hexdigest()])).hex()
        wire += f"{len(data):x};chunk-signature={previous}\r\n".encode()
        if start is not None:
            wire += data + b"\r\n"
    if "checksum" in made:
        checksum = CHECKSUMS[made["checksum"]]()
        checksum.update(plain)
        field = f"x-amz-checksum-{made['checksum']}:{checksum.b64digest()}"
        previous = mac(key, "\n".join([
            "AWS4-HMAC-SHA256-TRAILER", moment, scope, previous,
            hashlib.sha256((field + "\n").encode()).hexdigest()])).hex()
        wire += f"{field}\r\nx-amz-trailer-signature:{previous}\r\n".encode()
    return wire + b"\r\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    check_values()
    maker = Maker(arguments.seed)
    kinds = ["header"] * 9 + ["query"] * 7 + ["trailer", "chunks", "chunks-trailer", "trailer"]
    for index in range(arguments.count):
        print(json.dumps(line(maker, kinds[index % len(kinds)]), ensure_ascii=False,
                         separators=(",", ":")))
    print(f"botocore {botocore.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
