#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records what boto3 sends for each operation of S3 into Fixtures/s3-requests/requests.jsonl.

    python3 Tests/s3format/requests.py            # compares with the committed file
    python3 Tests/s3format/requests.py --write    # writes it

An HTTP server on 127.0.0.1 takes the requests and answers each with a small document. What differs
from run to run (signatures, dates, invocation ids, the port) is left out or replaced.
"""
import base64
import datetime
import http.server
import json
import pathlib
import re
import socket
import sys
import threading
import urllib.request

import boto3
import botocore
import botocore.auth
import botocore.exceptions
from botocore.config import Config

FIXTURE = pathlib.Path(__file__).resolve().parents[2] / "Fixtures/s3-requests/requests.jsonl"
DOMAIN = "s3.example.test"
PORT = 9000
# Kept of the headers; the rest is transport or changes with each run.
DROPPED = {
    "authorization", "user-agent", "accept-encoding", "connection", "x-amz-date",
    "amz-sdk-invocation-id", "amz-sdk-request", "x-amz-user-agent", "date", "x-amz-client-token",
}
AWKWARD = [
    "plain", "a/b/c", "a b", "a+b", "a%20b", "a%2Fb", "ümläut", "u\u0308", "日本/語", "😀",
    "//double//", "/leading", "trailing/", "../up", "./here", "a/../b", "?query=1", "#fragment",
    "a&b=c", "a;b", "a:b", "a@b", "a'b", 'a"b', "a<b>c", "a\\b", "a|b", "a^b", "a`b", "a~b",
    "a{b}", "a[b]", "(a)!*", "$a,", "a\tb", "a\nb", "a\rb", "\x01\x7f", "é" * 512, "k" * 1024,
]
# A body for operations whose answer must hold something.
ANSWERS = {
    "CompleteMultipartUpload": "<CompleteMultipartUploadResult><ETag>&quot;e-1&quot;</ETag>"
                               "</CompleteMultipartUploadResult>",
    "CopyObject": "<CopyObjectResult><ETag>&quot;e&quot;</ETag>"
                  "<LastModified>2026-01-01T00:00:00.000Z</LastModified></CopyObjectResult>",
    "UploadPartCopy": "<CopyPartResult><ETag>&quot;e&quot;</ETag>"
                      "<LastModified>2026-01-01T00:00:00.000Z</LastModified></CopyPartResult>",
}

records = []
current = {"operation": "", "case": ""}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.read_body()
        # Not self.path: the library makes one slash of several at its start.
        path, _, query = self.requestline.split(" ")[1].partition("?")
        headers = [
            [name, self.tidy(value)] for name, value in self.headers.items()
            if name.lower() not in DROPPED
        ]
        record = dict(current)
        record |= {
            "method": self.command, "path": path, "query": self.tidy(query),
            "headers": sorted(headers, key=lambda pair: (pair[0].lower(), pair[1])),
        }
        if body:
            try:
                record["body"] = body.decode("utf-8")
            except UnicodeDecodeError:
                record["body64"] = base64.b64encode(body).decode()
        records.append(record)
        answer = ANSWERS.get(current["operation"], "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    @staticmethod
    def tidy(text):
        text = text.replace(f":{server.server_port}", f":{PORT}")
        text = re.sub(r"X-Amz-Signature=[0-9a-f]+", "X-Amz-Signature=" + "0" * 64, text)
        text = re.sub(r"X-Amz-Date=[0-9TZ]+", "X-Amz-Date=20260101T000000Z", text)
        return re.sub(r"(X-Amz-Credential=[^&]*%2F)\d{8}", r"\g<1>20260101", text)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

real_lookup = socket.getaddrinfo


def look_up(host, *arguments, **options):
    name = host.decode() if isinstance(host, bytes) else host
    if name.endswith(DOMAIN):
        host = "127.0.0.1"
    return real_lookup(host, *arguments, **options)


socket.getaddrinfo = look_up


def client(style="path"):
    return boto3.client(
        "s3", endpoint_url=f"http://{DOMAIN}:{server.server_port}", region_name="eu-central-1",
        aws_access_key_id="AK", aws_secret_access_key="SK",
        config=Config(
            s3={"addressing_style": style}, retries={"total_max_attempts": 1},
            signature_version="s3v4"))


path_client, virtual_client = client("path"), client("virtual")


def send(operation, case, parameters, of=None, key=None):
    """One call of boto3; what it makes of the answer is of no interest.

    `key` is recorded as what the request is to be read as.
    """
    current.clear()
    current.update({"operation": operation, "case": case} | ({"key": key} if key else {}))
    before = len(records)
    try:
        method = botocore.xform_name(operation)
        answer = getattr(of or path_client, method)(**parameters)
        if "Payload" in answer:
            list(answer["Payload"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        if len(records) == before:
            print(f"not sent: {operation} {case}: {error}", file=sys.stderr)
    except Exception as error:  # The small answers are no documents for some operations.
        if len(records) == before:
            print(f"not sent: {operation} {case}: {error!r}", file=sys.stderr)


def presign(operation, case, parameters):
    """A presigned address, fetched with the method that it was made for."""
    current.clear()
    current.update({"operation": operation, "case": case})
    url = path_client.generate_presigned_url(botocore.xform_name(operation), Params=parameters)
    model = path_client.meta.service_model.operation_model(operation)
    request = urllib.request.Request(url, method=model.http["method"])
    urllib.request.urlopen(request).read()


# MARK: - Every operation of the model

def minimal(shape, name="", depth=0):
    """A value with what the model requires and nothing else."""
    known = {
        "Bucket": "bucket", "Key": "key", "CopySource": "source/key", "UploadId": "upload",
        "PartNumber": 1, "VersionId": "version", "ObjectAttributes": ["ETag", "ObjectSize"],
        "ExpressionType": "SQL", "RequestRoute": "route", "RequestToken": "token",
        "RenameSource": "bucket/other", "Id": "id", "AccountId": "123456789012",
        "MFA": "serial 123456",
    }
    if name in known:
        return known[name]
    kind = shape.type_name
    if kind == "structure":
        return {
            member: minimal(shape.members[member], member, depth + 1)
            for member in shape.required_members
        }
    if kind == "list":
        return [minimal(shape.member, "", depth + 1)]
    if kind == "map":
        return {}
    if kind == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "text"
    if kind in ("integer", "long"):
        return 1
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    if kind == "blob":
        return b"body"
    return 1.0


def every_operation():
    model = path_client.meta.service_model
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        parameters = minimal(shape) if shape else {}
        if operation == "WriteGetObjectResponse":
            continue  # Sent to another host.
        send(operation, "minimal", parameters)
        if "Bucket" in parameters:
            send(operation, "virtual", parameters, of=virtual_client)


# MARK: - By hand

def keys():
    for index, key in enumerate(AWKWARD):
        both = {"Bucket": "bucket", "Key": key}
        send("PutObject", "key", {**both, "Body": b""}, key=key)
        send("GetObject", "virtual key", both, of=virtual_client, key=key)
        send("CopyObject", "source", {
            "Bucket": "bucket", "Key": "copy", "CopySource": {"Bucket": "source", "Key": key}},
            key=key)
        send("ListObjectsV2", "prefix", {
            "Bucket": "bucket", "Prefix": key, "StartAfter": key, "Delimiter": "/"}, key=key)
    send("DeleteObjects", "keys", {
        "Bucket": "bucket",
        "Delete": {"Objects": [{"Key": key} for key in AWKWARD if "\x01" not in key]}})


def objects():
    moment = datetime.datetime(2026, 11, 27, 3, 4, 5, tzinfo=datetime.timezone.utc)
    both = {"Bucket": "bucket", "Key": "key"}
    send("GetObject", "everything", {
        **both, "VersionId": "v1", "Range": "bytes=0-9", "IfMatch": '"e"', "IfNoneMatch": '"f"',
        "IfModifiedSince": moment, "IfUnmodifiedSince": moment,
        "ResponseContentType": "text/plain", "ResponseCacheControl": "no-cache",
        "ResponseContentDisposition": 'attachment; filename="a b.txt"',
        "ResponseContentEncoding": "identity", "ResponseContentLanguage": "de",
        "ResponseExpires": moment, "ChecksumMode": "ENABLED", "RequestPayer": "requester",
        "ExpectedBucketOwner": "123456789012"})
    send("GetObject", "part", {**both, "PartNumber": 2})
    send("HeadObject", "everything", {
        **both, "VersionId": "v1", "PartNumber": 1, "IfMatch": "e", "ChecksumMode": "ENABLED"})
    send("PutObject", "everything", {
        **both, "Body": b"body", "ContentType": "text/plain", "CacheControl": "max-age=1",
        "ContentDisposition": "inline", "ContentEncoding": "gzip", "ContentLanguage": "de",
        "Expires": moment, "Metadata": {"Name": "value", "other-name": "with  spaces"},
        "StorageClass": "STANDARD_IA", "Tagging": "a=b&c=d", "ACL": "private",
        "ServerSideEncryption": "AES256", "IfNoneMatch": "*",
        "ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": moment,
        "ObjectLockLegalHoldStatus": "ON"})
    send("PutObject", "if match", {**both, "Body": b"", "IfMatch": '"e"'})
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        send("PutObject", f"checksum {algorithm}", {
            **both, "Body": b"body", "ChecksumAlgorithm": algorithm})
    send("PutObject", "customer key", {
        **both, "Body": b"", "SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32})
    send("GetObject", "customer key", {
        **both, "SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32})
    send("CopyObject", "everything", {
        **both, "CopySource": {"Bucket": "source", "Key": "a b", "VersionId": "v1"},
        "CopySourceIfMatch": '"e"', "CopySourceIfNoneMatch": '"f"',
        "CopySourceIfModifiedSince": moment, "CopySourceIfUnmodifiedSince": moment,
        "MetadataDirective": "REPLACE", "Metadata": {"a": "b"}, "TaggingDirective": "COPY"})
    send("CopyObject", "text", {**both, "CopySource": "source/a b+c"})
    send("CopyObject", "text with a slash", {**both, "CopySource": "/source/key?versionId=v1"})
    send("DeleteObject", "version", {**both, "VersionId": "v1"})
    send("DeleteObject", "if match", {**both, "IfMatch": '"e"'})
    send("DeleteObjects", "quiet", {
        "Bucket": "bucket", "Delete": {"Quiet": True, "Objects": [
            {"Key": "a"}, {"Key": "b&<>\"'", "VersionId": "v1"}, {"Key": "c", "ETag": '"e"'}]}})
    send("PutObjectTagging", "tags", {
        **both, "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}, {"Key": "c&", "Value": ""}]}})
    send("PutObject", "reserved metadata", {**both, "Body": b"", "Metadata": {"ct1": "forged"}})
    send("PutObject", "reserved metadata, other case", {
        **both, "Body": b"", "Metadata": {"CT1m": "forged"}})


def lists():
    send("ListObjects", "everything", {
        "Bucket": "bucket", "Prefix": "a b/", "Delimiter": "/", "Marker": "a b/c", "MaxKeys": 7,
        "EncodingType": "url"})
    send("ListObjectsV2", "everything", {
        "Bucket": "bucket", "Prefix": "ü", "Delimiter": "/", "StartAfter": "a",
        "ContinuationToken": "1+/=", "MaxKeys": 7, "FetchOwner": True, "EncodingType": "url"})
    send("ListObjectVersions", "everything", {
        "Bucket": "bucket", "Prefix": "a", "Delimiter": "/", "KeyMarker": "b",
        "VersionIdMarker": "v", "MaxKeys": 7})
    send("ListMultipartUploads", "everything", {
        "Bucket": "bucket", "Prefix": "a", "Delimiter": "/", "KeyMarker": "b",
        "UploadIdMarker": "u", "MaxUploads": 7})
    send("ListBuckets", "everything", {"MaxBuckets": 7, "Prefix": "a", "ContinuationToken": "t"})


def multipart():
    both = {"Bucket": "bucket", "Key": "key"}
    send("CreateMultipartUpload", "everything", {
        **both, "ContentType": "text/plain", "Metadata": {"a": "b"},
        "ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT", "Tagging": "a=b"})
    send("UploadPart", "last", {
        **both, "UploadId": "u/+=", "PartNumber": 10000, "Body": b"part"})
    send("UploadPartCopy", "range", {
        **both, "UploadId": "u", "PartNumber": 1, "CopySource": {"Bucket": "source", "Key": "k"},
        "CopySourceRange": "bytes=0-5242879", "CopySourceIfMatch": '"e"'})
    send("ListParts", "everything", {
        **both, "UploadId": "u", "PartNumberMarker": 3, "MaxParts": 7})
    send("CompleteMultipartUpload", "parts", {
        **both, "UploadId": "u", "IfNoneMatch": "*", "MpuObjectSize": 5242881,
        "MultipartUpload": {"Parts": [
            {"PartNumber": 1, "ETag": '"e1"'},
            {"PartNumber": 2, "ETag": '"e2"', "ChecksumCRC32": "AAAAAA=="}]}})


def presigned():
    both = {"Bucket": "bucket", "Key": "a b"}
    presign("GetObject", "presigned", both)
    presign("GetObject", "presigned with more", {
        **both, "VersionId": "v1", "ResponseContentType": "text/plain", "PartNumber": 1})
    presign("HeadObject", "presigned", both)
    presign("DeleteObject", "presigned", both)
    presign("UploadPart", "presigned", {**both, "UploadId": "u", "PartNumber": 1})
    presign("PutObject", "presigned", both)
    presign("PutObject", "presigned with reserved metadata", {**both, "Metadata": {"ct1": "x"}})


def main():
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for part in (every_operation, keys, objects, lists, multipart, presigned):
        part()
    server.shutdown()
    head = {"boto3": boto3.__version__, "botocore": botocore.__version__}
    lines = [json.dumps(line, ensure_ascii=True, separators=(",", ":"))
             for line in [head, *records]]
    text = "\n".join(lines) + "\n"
    if "--write" in sys.argv[1:]:
        FIXTURE.parent.mkdir(parents=True, exist_ok=True)
        FIXTURE.write_text(text)
        print(f"{len(records)} requests, {len(text)} bytes")
        return 0
    committed = FIXTURE.read_text()
    if json.loads(committed.split("\n", 1)[0]) != head:
        print(f"recorded with another boto3 than {head}; not compared")
        return 0
    if committed != text:
        print("boto3 sends something else than is recorded; look at the difference of --write")
        return 1
    print(f"{len(records)} requests, as recorded")
    return 0


sys.exit(main())
