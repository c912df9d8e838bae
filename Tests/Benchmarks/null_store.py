#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""As much of an S3 store as a proxy needs, that does nothing with what it gets: bodies are read and
forgotten, but for those under `kept/` and the proxy's own, which are kept in memory. No signature is
looked at. Says its port on standard output.
"""
import itertools
import socket
import sys
import threading
import urllib.parse

KEPT = ("kept/", ".cloudtaser/")
PIECE = 1 << 20
TIME = "Fri, 27 Nov 2026 00:00:00 GMT"
LISTED_TIME = "2026-11-27T00:00:00.000Z"
KEPT_FIELDS = ("content-type", "cache-control", "content-encoding")
BUCKETS = set()
OBJECTS = {}
UPLOADS = {}
NUMBERS = itertools.count(1)


class Object:
    def __init__(self, fields, size, body):
        self.fields, self.size, self.body = fields, size, body
        # Not the form of an MD5: it is none.
        self.tag = f'"{next(NUMBERS):032x}-1"'


class Link:
    """One connection, request after request."""

    def __init__(self, made):
        self.socket = made
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.scratch = memoryview(bytearray(PIECE))

    def serve(self):
        with self.socket:
            try:
                while self.request():
                    pass
            except (ConnectionError, ValueError):
                pass

    def head(self):
        while b"\r\n\r\n" not in self.rest:
            more = self.socket.recv(65536)
            if not more:
                return None
            self.rest += more
        text, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = text.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        return first.split(" ")[:2], fields

    def body(self, fields, keeps):
        """Its size, and itself when it is kept."""
        size = int(fields.get("content-length", 0))
        if fields.get("expect", "").lower() == "100-continue":
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        kept = bytearray(size) if keeps else None
        done = min(size, len(self.rest))
        if keeps:
            kept[:done] = self.rest[:done]
        self.rest = self.rest[done:]
        while done < size:
            into = memoryview(kept)[done:done + PIECE] if keeps else self.scratch[:size - done]
            count = self.socket.recv_into(into)
            if count == 0:
                raise ConnectionError
            done += count
        return size, kept

    def answer(self, status, fields=(), body=b"", size=None):
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body) if size is None else size}"]
        lines += [f"{name}: {value}" for name, value in dict(fields).items()]
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode("latin-1") + body)

    def request(self):
        read = self.head()
        if read is None:
            return False
        (method, target), fields = read
        path, _, text = target.partition("?")
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        bucket, _, key = urllib.parse.unquote(path[1:]).partition("/")
        if not key:
            self.body(fields, False)
            self.bucket(method, bucket, query)
        elif method == "PUT":
            self.put(bucket, key, query, fields)
        elif method == "POST":
            self.upload(bucket, key, query, fields)
        else:
            self.body(fields, False)
            self.object(method, bucket, key, fields)
        return True

    def bucket(self, method, bucket, query):
        if method == "PUT":
            BUCKETS.add(bucket)
        if method != "GET":
            return self.answer(204 if method == "DELETE" else 200)
        if not bucket:
            rows = "".join(f"<Bucket><Name>{name}</Name><CreationDate>{LISTED_TIME}</CreationDate></Bucket>"
                           for name in sorted(BUCKETS))
            return self.answer(200, {"Content-Type": "application/xml"}, (
                f"<ListAllMyBucketsResult><Buckets>{rows}</Buckets></ListAllMyBucketsResult>").encode())
        wanted = f"{bucket}/{query.get('prefix', '')}"
        found = "".join(
            f"<Contents><Key>{name.partition('/')[2]}</Key><LastModified>{LISTED_TIME}</LastModified>"
            f"<ETag>{made.tag}</ETag><Size>{made.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for name, made in sorted(OBJECTS.items()) if name.startswith(wanted))
        kind = "ListMultipartUploadsResult" if "uploads" in query else "ListBucketResult"
        self.answer(200, {"Content-Type": "application/xml"}, (
            f"<{kind}><Name>{bucket}</Name><Prefix></Prefix><IsTruncated>false</IsTruncated>"
            f"<MaxKeys>1000</MaxKeys>{found}</{kind}>").encode())

    def put(self, bucket, key, query, fields):
        if fields.get("if-none-match") == "*" and f"{bucket}/{key}" in OBJECTS:
            self.body(fields, False)
            return self.answer(412, {}, b"<Error><Code>PreconditionFailed</Code></Error>")
        size, kept = self.body(fields, key.startswith(KEPT))
        own = {n: v for n, v in fields.items() if n in KEPT_FIELDS or n.startswith("x-amz-meta-")}
        made = Object(own, size, kept)
        if "uploadId" in query:
            UPLOADS[query["uploadId"]][int(query["partNumber"])] = made
        else:
            OBJECTS[f"{bucket}/{key}"] = made
        self.answer(200, {"ETag": made.tag})

    def upload(self, bucket, key, query, fields):
        self.body(fields, True)
        where = f"<Bucket>{bucket}</Bucket><Key>{key}</Key>"
        if "uploads" in query:
            number = f"u{next(NUMBERS)}"
            UPLOADS[number] = {}
            text = (f"<InitiateMultipartUploadResult>{where}<UploadId>{number}</UploadId>"
                    "</InitiateMultipartUploadResult>")
        else:
            parts = UPLOADS.pop(query["uploadId"])
            rows = [parts[number] for number in sorted(parts)]
            keeps = key.startswith(KEPT)
            made = Object({}, sum(row.size for row in rows),
                          b"".join(bytes(row.body) for row in rows) if keeps else None)
            OBJECTS[f"{bucket}/{key}"] = made
            text = (f"<CompleteMultipartUploadResult>{where}<ETag>{made.tag}</ETag>"
                    "</CompleteMultipartUploadResult>")
        self.answer(200, {"Content-Type": "application/xml"}, text.encode())

    def object(self, method, bucket, key, fields):
        name = f"{bucket}/{key}"
        made = OBJECTS.get(name)
        if method == "DELETE":
            OBJECTS.pop(name, None)
            return self.answer(204)
        if made is None:
            body = b"<Error><Code>NoSuchKey</Code></Error>"
            return self.answer(404, {}, b"" if method == "HEAD" else body)
        told = made.fields | {"ETag": made.tag, "Last-Modified": TIME, "Accept-Ranges": "bytes"}
        start, end, status = 0, made.size, 200
        if "range" in fields:
            first, last = fields["range"].removeprefix("bytes=").split("-")
            start = int(first) if first else made.size - int(last)
            end = min(made.size, int(last) + 1) if first and last else made.size
            status = 206
            told["Content-Range"] = f"bytes {start}-{end - 1}/{made.size}"
        self.answer(status, told, size=end - start)
        if method == "GET":
            self.socket.sendall(memoryview(made.body)[start:end])


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    sys.setswitchinterval(0.0005)
    while True:
        made, _ = listener.accept()
        threading.Thread(target=Link(made).serve, daemon=True).start()


if __name__ == "__main__":
    main()
