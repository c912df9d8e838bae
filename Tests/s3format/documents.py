#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Has botocore read the documents that `Tests/S3FormatTests` wrote, and compares what it found.

    python3 Tests/s3format/documents.py
"""
import json
import pathlib
import sys
import urllib.parse

# requests.py of this folder is not the library of that name.
sys.path.pop(0)

import botocore.parsers
import botocore.session
from botocore import handlers

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT / "Fixtures/s3-requests/documents"
model = botocore.session.get_session().get_service_model("s3")
failures = []


def read(name, operation, status=200):
    """What boto3's user would get, keys decoded as boto3 does."""
    parser = botocore.parsers.create_parser(model.metadata["protocol"])
    answer = {"body": (DOCUMENTS / f"{name}.xml").read_bytes(), "headers": {}, "status_code": status}
    parsed = parser.parse(answer, model.operation_model(operation).output_shape)
    if parsed.get("EncodingType") == "url":
        context = {"encoding_type_auto_set": True}
        decode = {
            "ListObjects": handlers.decode_list_object,
            "ListObjectsV2": handlers.decode_list_object_v2,
            "ListObjectVersions": handlers.decode_list_object_versions,
        }.get(operation)
        if decode:
            decode(parsed, context)
    return parsed


def expect(what, found, wanted):
    if found != wanted:
        failures.append(f"{what}: {found!r}, not {wanted!r}")


# S3Key.awkward of Tests/S3FormatTests/RecordedRequest.swift, percent-encoded.
first, second = read("list-1-url", "ListObjects"), read("list-2-url", "ListObjectsV2")
keys = [entry["Key"] for entry in first["Contents"]]
expect("keys", len(keys), 41)
expect("last key", keys[-1], "&" * 1024)
expect("a key with controls", "\x01\x1f\x7f\x80\ufffe\uffff" in keys, True)
for key in ("a\rb", "a\r\nb", " a ", "a%20b", "u\u0308", "//double//", "..", "\u212a", "]]>"):
    expect(f"{key!r} among the keys", key in keys, True)
expect("keys of both lists", [entry["Key"] for entry in second["Contents"]], keys)
expect("common prefixes", [entry["Prefix"] for entry in first["CommonPrefixes"]], keys)
for name, found in (("list-1-url", first), ("list-2-url", second)):
    # Of the first form boto3 does not decode the prefix.
    prefix = found["Prefix"] if name == "list-2-url" else urllib.parse.unquote(found["Prefix"])
    expect(name, prefix, "a b+%2F")
    expect(name, found["Delimiter"], "/ &")
    expect(name, found["MaxKeys"], 7)
    expect(name, found["IsTruncated"], True)
    expect(name, found["Contents"][0]["Owner"], {"ID": "id", "DisplayName": "a & b"})
    expect(name, found["Contents"][1]["Size"], 1)
    expect(name, found["Contents"][1]["ETag"], '"0123-1"')
    expect(name, found["Contents"][1]["LastModified"].isoformat(),
           "2026-11-27T00:00:00.123000+00:00")
expect("Marker", first["Marker"], "m & n")
expect("NextMarker", first["NextMarker"], "n\nx")
expect("StartAfter", second["StartAfter"], "s & t")
expect("ContinuationToken", second["ContinuationToken"], "c+/=")
expect("NextContinuationToken", second["NextContinuationToken"], "n<>")
expect("KeyCount", second["KeyCount"], 2 * len(keys))

plain = [key for key in keys if not set(key) & {"\x01", "\ufffe"}]
for name, operation in (("list-1", "ListObjects"), ("list-2", "ListObjectsV2")):
    expect(name, [entry["Key"] for entry in read(name, operation)["Contents"]], plain)

versions = read("versions", "ListObjectVersions")
expect("versions", sorted(
    entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in versions[kind]),
    sorted(keys))
expect("null version", versions["DeleteMarkers"][0]["VersionId"], "null")
expect("NextVersionIdMarker", versions["NextVersionIdMarker"], "w")
uploads = read("uploads", "ListMultipartUploads")
expect("uploads", len(uploads["Uploads"]), len(keys))
expect("UploadId", uploads["Uploads"][0]["UploadId"], "u/+=")
parts = read("parts", "ListParts")
expect("parts", [part["PartNumber"] for part in parts["Parts"]], [2, 10000])
expect("size", parts["Parts"][1]["Size"], 2**63 - 1)
expect("NextPartNumberMarker", parts["NextPartNumberMarker"], 10000)
expect("created", read("created", "CreateMultipartUpload")["UploadId"], "u+/=")
expect("completed", read("completed", "CompleteMultipartUpload")["Location"], "http://h/b?c&d")
expect("copy", read("copy", "CopyObject")["CopyObjectResult"]["ETag"], '"0123-1"')
expect("copy-part", read("copy-part", "UploadPartCopy")["CopyPartResult"]["ETag"], '"0123-1"')
deleted = read("deleted", "DeleteObjects")
expect("deleted", [entry["Key"] for entry in deleted["Deleted"][1:]], plain)
expect("marker", deleted["Deleted"][0]["DeleteMarkerVersionId"], "m")
expect("failed", deleted["Errors"][0]["Message"], "No <>")
expect("tags", read("tagging", "GetObjectTagging")["TagSet"],
       [{"Key": "a&", "Value": ""}, {"Key": "é", "Value": " "}])
attributes = read("attributes", "GetObjectAttributes")
expect("attributes", [attributes[name] for name in ("ETag", "ObjectSize", "StorageClass")],
       ["0123-1", 7, "STANDARD_IA"])
error = read("error", "GetObject", status=416)
expect("error", error["Error"]["Code"], "InvalidRange")
expect("error", error["Error"]["Message"], "It's <not> & \"there\"")

for failure in failures:
    print(failure)
print(json.dumps({"keys": len(keys), "failures": len(failures)}))
sys.exit(1 if failures else 0)
