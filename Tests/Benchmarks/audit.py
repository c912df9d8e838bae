# SPDX-License-Identifier: Apache-2.0
"""`cloudtaser audit` of a cluster's dump next to Python and jq, which only read the same file and count
its containers. Rounds are interleaved; memory is the most that was resident, as the kernel tells it
when the process ends.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

PODS = 10_000
ROUNDS = 5
TARGETS = {"seconds": 10, "resident_kib": 300 * 1024}
# As kubectl stores who wrote which field: about a third of a pod.
FIELDS = {f"f:{name}": {} for name in (
    "resources", "image", "imagePullPolicy", "name", "command", "terminationMessagePath",
    "terminationMessagePolicy", "securityContext", "readinessProbe", "livenessProbe")}
PYTHON = ("import json,sys\n"
          "items=json.load(open(sys.argv[1]))['items']\n"
          "print(sum(len(i['spec']['containers']) for i in items if i['kind']=='Pod'))")
JQ = '[.items[] | select(.kind=="Pod") | .spec.containers | length] | add'


def pod(number):
    app, place = f"web-{number // 10:04}", f"ns-{number // 500:02}"
    name, stamp = f"{app}-5d4f8c7b9d-{number % 10:05}", "2026-11-27T08:00:00Z"
    wrapper = ["/cloudtaser/bin/cloudtaser-wrapper", "run", "--"] if number % 3 == 0 else []
    image = f"registry.example.eu/{place}/{app}@sha256:{number:064x}"
    probe = {"failureThreshold": 3, "httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"},
             "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
    container = {
        "command": [*wrapper, "/app", "--listen", ":8080"], "image": image, "name": "app",
        "imagePullPolicy": "IfNotPresent", "livenessProbe": probe, "readinessProbe": probe,
        "env": [{"name": "LOG_LEVEL", "value": "info"},
                {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
                {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"key": "password", "name": app}}}],
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "volumeMounts": [{"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                          "name": "kube-api-access", "readOnly": True}]}
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "annotations": {"prometheus.io/scrape": "true"}, "creationTimestamp": stamp,
            "labels": {"app": app, "pod-template-hash": "5d4f8c7b9d"}, "name": name, "namespace": place,
            "managedFields": [
                {"apiVersion": "v1", "fieldsType": "FieldsV1", "manager": manager, "operation": "Update",
                 "time": stamp, "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                                             "f:spec": {"f:containers": {'k:{"name":"app"}': FIELDS}}}}
                for manager in ("kube-controller-manager", "kubelet")],
            "ownerReferences": [{"apiVersion": "apps/v1", "blockOwnerDeletion": True, "controller": True,
                                 "kind": "ReplicaSet", "name": f"{app}-5d4f8c7b9d",
                                 "uid": f"00000000-0000-4000-8000-{number // 10:012}"}],
            "resourceVersion": str(number), "uid": f"00000000-0000-4000-9000-{number:012}"},
        "spec": {"containers": [container], "nodeName": f"node-{number % 100}", "restartPolicy": "Always",
                 "serviceAccountName": "default",
                 "volumes": [{"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
                     {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}]},
        "status": {
            "conditions": [{"lastProbeTime": None, "lastTransitionTime": stamp, "status": "True", "type": kind}
                           for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")],
            "containerStatuses": [{"containerID": f"containerd://{number:064x}", "image": image,
                                   "imageID": image, "name": "app", "ready": True, "restartCount": 0,
                                   "started": True, "state": {"running": {"startedAt": stamp}}}],
            "hostIP": "10.0.0.1", "phase": "Running", "podIP": "10.1.0.1", "startTime": stamp}}


def write(path, count):
    """Pod by pod: the kernel takes this process's memory for the least that its children had."""
    with open(path, "w", encoding="utf-8") as file:
        file.write('{\n    "apiVersion": "v1",\n    "items": [\n')
        for number in range(count):
            text = json.dumps(pod(number), indent=4).replace("\n", "\n        ")
            file.write("        " + text + (",\n" if number + 1 < count else "\n"))
        file.write('    ],\n    "kind": "List"\n}\n')
    return os.path.getsize(path)


def once(words):
    """Seconds, KiB resident at most, and what it printed."""
    begin = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output = process.stdout.read()
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"bench: {words[0]}: exit {process.returncode}: {errors}")
    return time.perf_counter() - begin, usage.ru_maxrss, output


def measure(program, folder, quick, say):
    if not os.path.isfile(program):
        raise SystemExit(f"bench: {program} is missing; `make bench` provides it")
    count, rounds = (PODS // 10, 3) if quick else (PODS, ROUNDS)
    path = os.path.join(folder, "pods.json")
    size = write(path, count)
    ways = {"text": [program, "audit", path], "json": [program, "audit", "-o", "json", path],
            "html": [program, "audit", "-o", "html", path],
            "yaml": [program, "audit", "-o", "yaml", path],
            "oscal": [program, "audit", "-o", "oscal", path],
            "python": [sys.executable, "-c", PYTHON, path]}
    if shutil.which("jq"):
        ways["jq"] = ["jq", JQ, path]
    say(f"audit of {count:,} pods in {size / 1e6:.0f} MB, {rounds} rounds of {len(ways)} ways ...")
    samples = {name: [] for name in ways}
    for _ in range(rounds):
        for name, words in ways.items():
            seconds, kib, output = once(words)
            samples[name].append((seconds, kib))
            told = json.loads(output)["containers"]["total"] if name == "json" else (
                int(output) if name in ("python", "jq") else count)
            if told != count:
                raise SystemExit(f"bench: {name} counted {told} containers, not {count}")
    os.remove(path)
    return {"pods": count, "bytes": size, "ways": {
        name: {"seconds": statistics.median(s for s, _ in values), "kib": max(k for _, k in values)}
        for name, values in samples.items()}}


def show(report):
    ways = report["ways"]
    print(f"\nAudit of {report['pods']:,} pods, {report['bytes'] / 1e6:.0f} MB as kubectl prints them; Python and jq "
          "only read\nand count")
    others = [name for name in ("python", "jq") if name in ways]
    for name, row in ways.items():
        ratios = ", ".join(f"{row['seconds'] / ways[other]['seconds']:.2f} x the time and "
                           f"{row['kib'] / ways[other]['kib']:.2f} x the memory of {other}"
                           for other in others if name not in others)
        print(f"      {name:<7} {row['seconds']:>6.2f} s {row['kib'] / 1024:>6.0f} MiB  {ratios}")
    for name in ("text", "json", "html", "yaml", "oscal"):
        for words, value, limit in (("seconds", ways[name]["seconds"], TARGETS["seconds"]),
                                    ("KiB", ways[name]["kib"], TARGETS["resident_kib"])):
            word = "met" if value <= limit else "NOT MET"
            print(f"      {name}: {value:,.1f} {words} of at most {limit:,}: {word}")
