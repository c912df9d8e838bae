#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A collector for OTLP/HTTP logs in JSON that checks what it gets and answers as it is told.

    otlp-collector.py BEHAVIOUR...

Prints `PORT n`, then one JSON object for each request: its records' bodies and what is wrong with
it. The n-th request gets the n-th behaviour, later ones the last:

    200        takes all
    partial:N  says that it refused N records
    503:S      with Retry-After: S; also 429, 502, 504; without `:S` no such field
    400        or any other status, for good
    close      closes without an answer
    garbage    answers what is not HTTP
    endless    sends a head without an end
    slow       takes the request and never answers
"""
import http.server
import json
import re
import sys
import time

DIGITS = re.compile(r"^(0|[1-9][0-9]{0,19})$")


def attributes(problems, where, value):
    for entry in value:
        if set(entry) != {"key", "value"} or list(entry["value"]) != ["stringValue"]:
            problems.append(f"{where}: {entry}")


def only(problems, where, value, names):
    if set(value) - set(names):
        problems.append(f"{where}: unknown {sorted(set(value) - set(names))}")


def record(problems, value):
    only(problems, "record", value, [
        "timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "body",
        "attributes"])
    for name in ["timeUnixNano", "observedTimeUnixNano"]:
        if not isinstance(value.get(name), str) or not DIGITS.match(value[name]):
            problems.append(f"{name}: {value.get(name)!r}")
    if not 1 <= value.get("severityNumber", 0) <= 24:
        problems.append("severityNumber")
    if list(value.get("body", {})) != ["stringValue"]:
        problems.append("body")
    attributes(problems, "record", value.get("attributes", []))
    return value.get("body", {}).get("stringValue")


def check(headers, body):
    problems, bodies = [], []
    if headers.get("Content-Type") != "application/json":
        problems.append("Content-Type")
    if not headers.get("Host"):
        problems.append("Host")
    request = json.loads(body)
    only(problems, "request", request, ["resourceLogs"])
    for resource in request["resourceLogs"]:
        only(problems, "resourceLogs", resource, ["resource", "scopeLogs"])
        attributes(problems, "resource", resource["resource"]["attributes"])
        names = [entry["key"] for entry in resource["resource"]["attributes"]]
        if "service.name" not in names:
            problems.append("service.name")
        for scope in resource["scopeLogs"]:
            only(problems, "scopeLogs", scope, ["scope", "logRecords"])
            bodies += [record(problems, entry) for entry in scope["logRecords"]]
    return bodies, problems


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behaviours = ["200"]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            bodies, problems = check(self.headers, body)
        except Exception as error:
            bodies, problems = [], [repr(error)]
        if self.path != "/v1/logs":
            problems.append(self.path)
        now = Handler.behaviours[0]
        if len(Handler.behaviours) > 1:
            Handler.behaviours.pop(0)
        print(json.dumps({"bodies": bodies, "problems": problems, "behaviour": now}), flush=True)
        self.answer(now)

    def answer(self, behaviour):
        word, _, value = behaviour.partition(":")
        self.close_connection = True
        if word == "close":
            return
        if word == "garbage":
            self.wfile.write(b"SSH-2.0-not-http\r\n\r\n")
            return
        if word == "endless":
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    self.wfile.write(b"X-Filler: " + b"a" * 1000 + b"\r\n")
            except OSError:
                return
        if word == "slow":
            time.sleep(5)
            return
        status = 200 if word == "partial" else int(word)
        answer = b"{}"
        if word == "partial":
            answer = json.dumps({"partialSuccess": {
                "rejectedLogRecords": value, "errorMessage": "test"}}).encode()
        self.send_response(status)
        if value and word != "partial":
            self.send_header("Retry-After", value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


Handler.behaviours = sys.argv[1:] or ["200"]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"PORT {server.server_address[1]}", flush=True)
server.serve_forever()
