#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records documents that moto_server answers with into Fixtures/s3-requests/answers.jsonl.

    python3 Tests/s3format/answers.py

Needs moto (PyPI, with its server). Identifiers and times differ with each run, so nothing compares.
"""
import json
import logging
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

# requests.py of this folder is not the library that moto imports.
sys.path.pop(0)

import boto3
import moto
from botocore.config import Config
from moto.server import ThreadedMotoServer

FIXTURE = pathlib.Path(__file__).resolve().parents[2] / "Fixtures/s3-requests/answers.jsonl"
KEYS = ["a b", "a+b", "a%2Fb", "dir/a", "dir/b&<>", "ümläut", "u\u0308", "日本", "plain"]

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
address = "http://%s:%d" % server.get_host_and_port()
s3 = boto3.client(
    "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="AK",
    aws_secret_access_key="SK", config=Config(s3={"addressing_style": "path"}))
records = [{"moto": moto.__version__}]


def fetch(document, method, path, body=None, keys=None, headers=None):
    request = urllib.request.Request(
        path if path.startswith("http") else address + path, data=body, method=method,
        headers={"Content-Type": "application/xml"} | (headers or {}))
    try:
        answer = urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as error:
        answer = error.read()
    record = {"document": document, "xml": answer.decode()}
    if keys is not None:
        record["keys"] = keys
    records.append(record)
    return answer.decode()


s3.create_bucket(Bucket="bucket")
for key in KEYS:
    s3.put_object(Bucket="bucket", Key=key, Body=b"body")
ordered = sorted(KEYS, key=lambda key: key.encode())
for encoding in ("", "&encoding-type=url"):
    fetch("ListBucketResult 1", "GET", "/bucket?max-keys=100" + encoding, keys=ordered)
    fetch("ListBucketResult 2", "GET", "/bucket?list-type=2" + encoding, keys=ordered)
fetch("ListBucketResult 2", "GET", "/bucket?list-type=2&max-keys=2", keys=ordered[:2])
fetch("ListBucketResult 2", "GET", "/bucket?list-type=2&delimiter=/&prefix=d", keys=[])
s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
s3.put_object(Bucket="bucket", Key="plain", Body=b"second")
s3.delete_object(Bucket="bucket", Key="plain")
fetch("ListVersionsResult", "GET", "/bucket?versions")
upload = s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
identifier = urllib.parse.quote(upload, safe="")
fetch("InitiateMultipartUploadResult", "POST", "/bucket/other?uploads")
tag = s3.upload_part(
    Bucket="bucket", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
fetch("CopyPartResult", "PUT", f"/bucket/parts?uploadId={identifier}&partNumber=2",
      headers={"x-amz-copy-source": "bucket/dir/a"})
fetch("ListPartsResult", "GET", f"/bucket/parts?uploadId={identifier}")
fetch("ListMultipartUploadsResult", "GET", "/bucket?uploads")
document = ("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>"
            "</CompleteMultipartUpload>" % tag)
fetch("CompleteMultipartUploadResult", "POST", f"/bucket/parts?uploadId={identifier}",
      document.encode())
fetch("CopyObjectResult", "PUT", "/bucket/copy", headers={"x-amz-copy-source": "bucket/dir/a"})
s3.put_object_tagging(Bucket="bucket", Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
fetch("Tagging", "GET", s3.generate_presigned_url(
    "get_object_tagging", Params={"Bucket": "bucket", "Key": "copy"}), headers={"Content-Type": ""})
fetch("DeleteResult", "POST", "/bucket?delete",
      b"<Delete><Object><Key>dir/b&amp;&lt;&gt;</Key></Object><Object><Key>none</Key></Object>"
      b"</Delete>")
fetch("Error", "GET", "/bucket/none")
server.stop()
FIXTURE.write_text("".join(json.dumps(record) + "\n" for record in records))
print(f"{len(records) - 1} documents")
