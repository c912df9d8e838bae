# SPDX-License-Identifier: Apache-2.0
"""The operator's webhook next to a small one in Python, by the same requests in the same run.

Requests come at a fixed rate over a few connections that stay open, whether or not the last one
was answered in time: a time counts from when a request was due. Then as many reviews as it takes
to see whether memory grows.
"""

import http.client
import json
import os
import re
import ssl
import statistics
import subprocess
import sys
import threading
import time

PER_SECOND = 500
CONNECTIONS = 10
SECONDS = 20
REVIEWS = 100_000
TARGETS = {"median_ms": 1, "p99_ms": 5, "resident_kib": 96 * 1024}
POLICY = {
    "vaults": [{"name": "main", "address": "https://vault.example.eu:8200", "audience": "vault"}],
    "grants": [{"namespaces": ["shop"], "vault": "main", "roles": ["shop-*"],
                "paths": ["secret/shop/*"]}],
    "wrapper": {"image": "registry.example.eu/wrapper:1"}, "entrypoints": "explicit-command",
}
# What a webhook does at least: read the review, find the containers, answer with a patch.
PYTHON_WEBHOOK = """\
import base64, http.server, json, ssl, sys
class Webhook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        pod, patch = request["object"], []
        if pod["metadata"].get("annotations", {}).get("cloudtaser.io/inject") == "true":
            for index, container in enumerate(pod["spec"]["containers"]):
                at = f"/spec/containers/{index}"
                command = ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--"]
                patch.append({"op": "add", "path": at + "/command",
                              "value": command + container["command"]})
                patch.append({"op": "add", "path": at + "/volumeMounts/-",
                              "value": {"name": "cloudtaser", "mountPath": "/cloudtaser"}})
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                           "response": {"uid": request["uid"], "allowed": True,
                                        "patchType": "JSONPatch", "patch": base64.b64encode(
                                            json.dumps(patch).encode()).decode()}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(json.dumps({"event": "serving", "port": server.server_port}), file=sys.stderr, flush=True)
server.serve_forever()
"""


def review():
    """As a Deployment's pod is sent: two containers, what the API server fills in."""
    def container(name):
        return {
            "name": name, "image": f"registry.example.eu/{name}:1", "command": [f"/bin/{name}"],
            "args": ["--port", "8080"], "resources": {"limits": {"memory": "128Mi"}},
            "env": [{"name": f"SETTING_{n}", "value": "a value of a usual length"}
                    for n in range(20)],
            "volumeMounts": [{"name": "token", "readOnly": True,
                              "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
            "livenessProbe": {"httpGet": {"path": "/", "port": 8080, "scheme": "HTTP"}},
            "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent",
        }
    pod = {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "generateName": "web-6d4cf56db6-", "labels": {"app": "web", "cloudtaser.io/inject": "true"},
            "annotations": {
                "cloudtaser.io/inject": "true", "cloudtaser.io/vault-role": "shop-web",
                "cloudtaser.io/secret-paths": "secret/shop/db",
                "cloudtaser.io/env-map": "password=DB_PASSWORD"}},
        "spec": {"containers": [container("web"), container("side")], "restartPolicy": "Always",
                 "volumes": [{"name": "token", "projected": {"sources": []}}],
                 "serviceAccountName": "default", "schedulerName": "default-scheduler"},
    }
    pods = {"group": "", "version": "v1"}
    return json.dumps({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE",
                    "kind": dict(pods, kind="Pod"), "resource": dict(pods, resource="pods"),
                    "namespace": "shop", "object": pod, "oldObject": None, "dryRun": False,
                    "userInfo": {"username": "system:serviceaccount:kube-system:replicaset"}},
    }).encode()


class Webhook:
    """A server that is started, and ended with `with`."""

    def __init__(self, name, command, folder):
        self.name = name
        self.log = os.path.join(folder, f"{name}.log")
        self.process = subprocess.Popen(command, stderr=open(self.log, "w"))
        self.ports = self.serving()
        self.body = review()

    def serving(self):
        while self.process.poll() is None:
            with open(self.log) as file:
                for line in file:
                    if '"serving"' in line and line.endswith("\n"):
                        return json.loads(line)
            time.sleep(0.02)
        raise SystemExit(f"bench: {self.name} ended: {open(self.log).read()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def connect(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        link = http.client.HTTPSConnection("127.0.0.1", int(self.ports["port"]), context=context)
        link.connect()
        return link

    def ask(self, link):
        link.request("POST", "/mutate", self.body, {"Content-Type": "application/json"})
        answer = link.getresponse()
        text = answer.read()
        if answer.status != 200 or b'"allowed":true' not in text.replace(b": ", b":"):
            raise SystemExit(f"bench: {self.name}: {answer.status} {text[:500]}")

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(dict(line.split(":", 1) for line in file)["VmRSS"].split()[0])

    def workers(self, work):
        """Runs `work(number, connection)` on each connection at once."""
        failures = []

        def guarded(number):
            link = self.connect()
            try:
                work(number, link)
            except BaseException as failure:  # Of a thread: told by the one that waits.
                failures.append(failure)
            finally:
                link.close()
        threads = [threading.Thread(target=guarded, args=(n,)) for n in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def paced(self, seconds):
        """Milliseconds from when each request was due to its answer."""
        times = [[] for _ in range(CONNECTIONS)]
        begin = time.perf_counter() + 0.5
        every = CONNECTIONS / PER_SECOND

        def work(number, link):
            self.ask(link)
            for turn in range(int(seconds / every)):
                due = begin + (turn + number / CONNECTIONS) * every
                time.sleep(max(0, due - time.perf_counter()))
                self.ask(link)
                times[number].append((time.perf_counter() - due) * 1e3)
        self.workers(work)
        return sorted(value for part in times for value in part)

    def flooded(self, count):
        """As fast as it goes; reviews a second."""
        begin = time.perf_counter()

        def work(number, link):
            for _ in range(count // CONNECTIONS):
                self.ask(link)
        self.workers(work)
        return count / (time.perf_counter() - begin)

    def histogram(self):
        """What the operator measured of itself: (bound in ms, share of reviews), rising."""
        link = http.client.HTTPConnection("127.0.0.1", int(self.ports["healthPort"]))
        link.request("GET", "/metrics")
        text = link.getresponse().read().decode()
        pattern = (r'^controller_runtime_webhook_latency_seconds_bucket'
                   r'\{le="([^"]+)",webhook="/mutate"\} (\d+)$')
        rows = [(float(bound) * 1e3, int(count))
                for bound, count in re.findall(pattern, text, re.MULTILINE)]
        return [(bound, count / rows[-1][1]) for bound, count in rows]


def certificate(folder):
    paths = [os.path.join(folder, name) for name in ("server.pem", "server-key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=bench", "-days", "2", "-out", paths[0], "-keyout", paths[1]],
        check=True, capture_output=True)
    return paths


def measure(program, folder, quick, say):
    """Both webhooks, one after the other, by the same requests."""
    pem, key = certificate(folder)
    policy = os.path.join(folder, "policy.json")
    with open(policy, "w") as file:
        json.dump(POLICY, file)
    commands = {
        "python": [sys.executable, "-c", PYTHON_WEBHOOK, pem, key],
        "operator": [program, "--address", "127.0.0.1", "--port", "0", "--health-port", "0",
                     "--tls-certificate", pem, "--tls-key", key, "--policy-file", policy,
                     "--drain-seconds", "0"],
    }
    report = {"per_second": PER_SECOND, "review_bytes": len(review()), "webhooks": {}}
    for name, command in commands.items():
        seconds, count = (5, 5_000) if quick else (SECONDS, REVIEWS)
        with Webhook(name, command, folder) as webhook:
            say(f"{name}: {PER_SECOND} reviews a second for {seconds} s ...")
            times = webhook.paced(seconds)
            row = {"median_ms": statistics.median(times), "p99_ms": times[len(times) * 99 // 100],
                   "resident_kib": webhook.resident_kib()}
            if name == "operator":
                row["handler"] = webhook.histogram()
            else:
                # It is there to be compared with, and slow.
                count = min(count, 10_000)
            say(f"{name}: {count:,} reviews ...")
            row["reviews"] = count
            row["reviews_per_second"] = webhook.flooded(count)
            row["resident_kib_after"] = webhook.resident_kib()
            report["webhooks"][name] = row
    return report


def bound(histogram, share):
    return next((limit for limit, part in histogram if part >= share), float("inf"))


def show(report):
    print(f"\nAdmission: {report['per_second']} reviews a second of {report['review_bytes']:,} "
          "bytes, from when each was due to its answer, TLS and client included")
    for name, row in report["webhooks"].items():
        print(f"      {name:<9} median {row['median_ms']:>7.2f} ms  p99 {row['p99_ms']:>8.2f} ms; "
              f"{row['reviews_per_second']:>6,.0f} a second at most; {row['resident_kib']:,} KiB, "
              f"after {row['reviews']:,} more {row['resident_kib_after']:,} KiB")
    own = report["webhooks"]["operator"]
    rows = [("handler's median, ms (bound of its bucket)", bound(own["handler"], 0.5),
             TARGETS["median_ms"]),
            ("handler's p99, ms (bound of its bucket)", bound(own["handler"], 0.99),
             TARGETS["p99_ms"]),
            ("resident memory, KiB", own["resident_kib_after"], TARGETS["resident_kib"])]
    for words, value, limit in rows:
        word = "met" if value <= limit else "NOT MET"
        print(f"      {words}: {value:,.2f} of at most {limit:,}: {word}")
