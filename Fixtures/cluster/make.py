#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes cluster.json, a cluster of 300 workloads as `kubectl get -o json` prints one, an object on
each line. The same every time. expected.md says part by part what is in it; whoever changes a part
counts it again by hand.

Usage: make.py [--check]
"""
import base64
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ITEMS = []
NODES = [f"node-{number}" for number in range(1, 7)]
APP = {"name": "app", "image": "registry.example/app:1", "command": ["/app"]}
WRAPPER = "/cloudtaser/bin/cloudtaser-wrapper"
ASKS = {"cloudtaser.io/inject": "true", "cloudtaser.io/secret-paths": "secret/pay"}
WRAPPED = {**APP, "command": [WRAPPER, "run", "--", "/app"],
           "env": [{"name": "DB_PASSWORD", "value": "vault:secret/pay#password"}]}
INSTALL = {"name": "cloudtaser-install", "image": "registry.example/wrapper:1",
           "command": ["/cloudtaser-wrapper", "install", "/cloudtaser/bin"]}


def add(version, kind, namespace, name, content=None, owner=None, labels=None, annotations=None):
    metadata = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    if owner:
        kind_of_owner, name_of_owner = owner
        metadata["ownerReferences"] = [{"kind": kind_of_owner, "name": name_of_owner, "controller": True}]
    ITEMS.append({"apiVersion": version, "kind": kind, "metadata": metadata, **(content or {})})


def pod(namespace, name, spec, owner=None, labels=None, annotations=None, phase="Running", node=0,
        ready=True):
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]}
    add("v1", "Pod", namespace, name, {"spec": {**spec, "nodeName": NODES[node % 6]}, "status": status},
        owner, labels, annotations)


def template(spec, annotations=None, labels=None):
    metadata = {**({"annotations": annotations} if annotations else {}),
                **({"labels": labels} if labels else {})}
    return {"template": {"metadata": metadata, "spec": spec}}


def deployment(namespace, name, spec, pods=0, stored=None, annotations=None, old=False, labels=None):
    """With a ReplicaSet and its pods, which may be stored otherwise than the template says."""
    content = {"spec": template(spec, annotations, labels)}
    add("apps/v1", "Deployment", namespace, name, content)
    hashes = (["5d4f"] if pods else []) + (["0a1b"] if old else [])
    for digest in hashes:
        add("apps/v1", "ReplicaSet", namespace, f"{name}-{digest}", content, ("Deployment", name))
    for number in range(pods):
        pod(namespace, f"{name}-5d4f-{number}", stored or spec, ("ReplicaSet", f"{name}-5d4f"),
            {"pod-template-hash": "5d4f", **(labels or {})}, annotations, node=number)


def secret(namespace, name, kind="Opaque", keys=("password",), annotations=None, owner=None):
    data = {key: base64.b64encode(f"{key} of {name}".encode()).decode() for key in keys}
    add("v1", "Secret", namespace, name, {"type": kind, "data": data}, owner, None, annotations)


def using(**fields):
    return {"containers": [{**APP, **fields}]}


def entry(name, key="password"):
    return [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}]


def mounted(volume):
    return {"containers": [{**APP, "volumeMounts": [{"name": "files", "mountPath": "/files"}]}],
            "volumes": [{"name": "files", **volume}]}


PLAIN = using()


def cluster():
    """Namespaces, nodes and webhooks."""
    team = {"team": "a"}
    labels = {"shop": team, "pay": team, "asking": {"cloudtaser.io/inject": "true"}}
    for name in ("default", "kube-system", "kube-public", "shop", "pay", "batch", "asking", "tools",
                 "cloudtaser-system"):
        add("v1", "Namespace", "", name, labels=labels.get(name))
    for name in NODES:
        add("v1", "Node", "", name)
    for name, policy in (("cloudtaser", "Fail"), ("cloudtaser-old", "Ignore")):
        add("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", name,
            {"webhooks": [{"name": "pods.cloudtaser.io", "failurePolicy": policy}]})
    add("cloudtaser.io/v1alpha1", "CloudTaserPolicy", "", "cluster",
        {"spec": {"wrapper": {"image": INSTALL["image"]}}})


def part_a():
    """kube-system, and a mirror pod elsewhere."""
    add("apps/v1", "DaemonSet", "kube-system", "kube-proxy", {"spec": template(PLAIN)})
    for number in range(6):
        pod("kube-system", f"kube-proxy-{number}", PLAIN, ("DaemonSet", "kube-proxy"), node=number)
    mirror = {"kubernetes.io/config.mirror": "0123456789abcdef"}
    for name in ("etcd", "kube-apiserver", "kube-scheduler"):
        pod("kube-system", f"{name}-node-1", PLAIN, ("Node", "node-1"), annotations=mirror)
    deployment("kube-system", "coredns", PLAIN, pods=2)
    pod("tools", "haproxy-node-2", PLAIN, ("Node", "node-2"), annotations=mirror, node=1)


def part_b():
    """CloudTaser itself."""
    def labels(component):
        return {"app.kubernetes.io/name": "cloudtaser", "app.kubernetes.io/component": component}

    place = "cloudtaser-system"
    add("apps/v1", "DaemonSet", place, "cloudtaser-agent",
        {"spec": template(PLAIN, labels=labels("agent"))})
    for number in range(5):
        pod(place, f"cloudtaser-agent-{number}", PLAIN, ("DaemonSet", "cloudtaser-agent"),
            labels("agent"), node=number, ready=number < 4)
    deployment(place, "cloudtaser-operator", PLAIN, pods=2, labels=labels("operator"))
    deployment(place, "cloudtaser-s3-proxy", PLAIN, labels=labels("s3-proxy"))


def part_c():
    """Deployments with a Secret's key in the environment."""
    for number in range(80):
        name = f"web-{number:02}"
        deployment("shop", name, using(env=entry(name)), pods=2, old=number < 10)
        secret("shop", name)


def delivered(mode):
    """A wrapped container, as the operator tells the wrapper how values go to the program."""
    return {**WRAPPED, "env": [*WRAPPED["env"], {"name": "CLOUDTASER_DELIVERY", "value": mode}]}


def part_d():
    """Injected pods, by their mode of delivery; the first ten with a sidecar."""
    modes = ["splice"] * 30 + ["file"] * 10 + ["environ"] * 10 + [None] * 10
    for number, mode in enumerate(modes):
        app = delivered(mode) if mode else WRAPPED
        sidecar = [{**app, "name": "log", "restartPolicy": "Always"}] if number < 10 else []
        stored = {"initContainers": [INSTALL, *sidecar], "containers": [app]}
        deployment("pay", f"pay-{number:02}", PLAIN, 1, stored, ASKS)


def part_e():
    """Pods that ask and are not wrapped."""
    for number in range(4):
        deployment("pay", f"missed-{number}", PLAIN, 1, annotations=ASKS)
    pod("pay", "half", {"containers": [WRAPPED, {**APP, "name": "other"}]}, annotations=ASKS)
    pod("pay", "misspelt", PLAIN, labels={"cloudtaser.io/inject": "yes"})


def part_f():
    """A namespace that asks by its label."""
    pod("asking", "silent", PLAIN)
    pod("asking", "wrapped", {"containers": [WRAPPED]})
    pod("asking", "declines", PLAIN, annotations={"cloudtaser.io/inject": "false"})
    deployment("asking", "template", PLAIN)


def part_g():
    """StatefulSets that import a Secret."""
    spec = using(envFrom=[{"secretRef": {"name": "db"}}])
    spec["initContainers"] = [{**APP, "name": "prepare"}]
    for number in range(10):
        name = f"db-{number}"
        add("apps/v1", "StatefulSet", "shop", name, {"spec": template(spec)})
        for place in range(2):
            pod("shop", f"{name}-{place}", spec, ("StatefulSet", name), node=place)
    secret("shop", "db", keys=("password", "user"))


def part_h():
    """DaemonSets with a Secret in a volume."""
    spec = mounted({"secret": {"secretName": "log-tls"}})
    for number in range(5):
        name = f"log-{number}"
        add("apps/v1", "DaemonSet", "tools", name, {"spec": template(spec)})
        for place in range(6):
            pod("tools", f"{name}-{place}x", spec, ("DaemonSet", name), node=place)
    secret("tools", "log-tls", "kubernetes.io/tls", ("tls.crt", "tls.key"))


def job(name, state, pods, spec=None, owner=None):
    status = {} if state == "Active" else {"conditions": [{"type": state, "status": "True"}]}
    add("batch/v1", "Job", "batch", name, {"spec": template(spec or PLAIN), "status": status}, owner)
    phase = {"Active": "Running", "Complete": "Succeeded", "Failed": "Failed"}[state]
    for number in range(pods):
        pod("batch", f"{name}-{number}", spec or PLAIN, ("Job", name), phase=phase, node=number)


def part_i():
    """Jobs that run, that are done and that failed."""
    for number in range(10):
        job(f"run-{number}", "Active", 1)
    pod("batch", "run-0-retried", PLAIN, ("Job", "run-0"), phase="Failed")
    for number in range(10):
        job(f"done-{number}", "Complete", 1 if number < 8 else 0)
    for number in range(4):
        job(f"fail-{number}", "Failed", 2)


def part_j():
    """CronJobs with a credential in plain sight."""
    spec = using(env=[{"name": "API_TOKEN", "value": "not-a-real-token-4711"}])
    for number in range(20):
        name = f"cron-{number:02}"
        add("batch/v1", "CronJob", "batch", name, {"spec": {"jobTemplate": {"spec": template(spec)}}})
        if number < 15:
            job(f"{name}-29000", "Complete" if number < 10 else "Active", 1, spec, ("CronJob", name))


def part_k():
    """Pods of nobody: plain, with Secrets, that have ended, that somebody debugs."""
    for number in range(20):
        spec = PLAIN
        if 10 <= number < 15:
            spec = mounted({"projected": {"sources": [{"secret": {"name": "bundle"}}]}})
        elif number >= 15:
            spec = {**PLAIN, "imagePullSecrets": [{"name": "registry"}]}
        pod("shop", f"bare-{number:02}", spec, node=number)
    for number in range(5):
        pod("shop", f"over-{number}", using(env=entry("over")),
            phase="Succeeded" if number < 3 else "Failed")
    pod("shop", "debugged", {**PLAIN, "ephemeralContainers": [{"name": "shell", "image": "busybox"}]})
    secret("shop", "bundle")
    secret("shop", "registry", "kubernetes.io/dockerconfigjson", (".dockerconfigjson",))
    secret("shop", "over")


def part_l():
    """ReplicationControllers with a credential in a ConfigMap."""
    spec = using(env=[{"name": "DB_PASSWORD", "valueFrom": {
        "configMapKeyRef": {"name": "settings", "key": "DB_PASSWORD"}}}])
    for number in range(6):
        name = f"rc-{number}"
        add("v1", "ReplicationController", "shop", name, {"spec": template(spec)})
        for place in range(2 if number < 5 else 0):
            pod("shop", f"{name}-{place}x", spec, ("ReplicationController", name), node=place)
    add("v1", "ConfigMap", "shop", "settings", {"data": {"DB_PASSWORD": "not-a-real-one", "COLOUR": "red"}})


def part_m():
    """Pods below kinds that are not read."""
    for number in range(5):
        name = f"roll-{number}"
        add("apps/v1", "ReplicaSet", "shop", f"{name}-7c8d", {"spec": template(PLAIN)}, ("Rollout", name))
        for place in range(2):
            pod("shop", f"{name}-7c8d-{place}", PLAIN, ("ReplicaSet", f"{name}-7c8d"), node=place)
    for number in range(5):
        for place in range(2):
            pod("pay", f"pg-{number}-{place}", PLAIN, ("Cluster", f"pg-{number}"), node=place)


def part_n():
    """A ReplicaSet of nobody."""
    add("apps/v1", "ReplicaSet", "shop", "alone", {"spec": template(PLAIN)})
    for number in range(2):
        pod("shop", f"alone-{number}", PLAIN, ("ReplicaSet", "alone"), node=number)


def part_o():
    """Templates without pods: one for each of the rarer findings."""
    deployment("tools", "command", using(args=["--password=not-a-real-one"]))
    deployment("tools", "noted", PLAIN, annotations={"example.com/api-key": "not-a-real-key-4711"})
    deployment("tools", "reference", using(env=[{"name": "X", "value": "vault:secret/data/x#y"}]))
    deployment("tools", "driver", mounted({"csi": {
        "driver": "secrets-store.csi.k8s.io",
        "volumeAttributes": {"secretProviderClass": "classes"}}}))


def part_p():
    """References to Secrets that are not there, and to one that another tool will make."""
    for number in range(3):
        deployment("shop", f"broken-{number}", using(env=entry(f"missing-{number}")))
    deployment("shop", "broken-3", mounted({"secret": {"secretName": "missing-3"}}))
    deployment("shop", "broken-4", {**PLAIN, "imagePullSecrets": [{"name": "missing-4"}]})
    deployment("shop", "pending", using(env=entry("from-eso")))


def part_q():
    """Deployments that have no secrets."""
    for number in range(29):
        deployment("shop", f"idle-{number:02}", PLAIN, pods=1)


def secrets():
    """Secrets of no workload, and what uses or fills some of them."""
    secret("shop", "old-api")
    secret("shop", "old-db", keys=("password", "user"))
    secret("pay", "stray-tls", "kubernetes.io/tls", ("tls.crt", "tls.key"))
    secret("tools", "lost-basic", "kubernetes.io/basic-auth", ("password", "username"))
    secret("tools", "lost-ssh", "kubernetes.io/ssh-auth", ("ssh-privatekey",))
    secret("shop", "sh.helm.release.v1.web.v1", "helm.sh/release.v1", ("release",))
    secret("tools", "builder-token", "kubernetes.io/service-account-token", ("token",),
           {"kubernetes.io/service-account.name": "builder"})
    secret("kube-system", "bootstrap-token-abcdef", "bootstrap.kubernetes.io/token", ("token-id",))
    secret("kube-system", "unused")
    for name in ("sa-registry", "sa-named"):
        secret("tools", name)
    add("v1", "ServiceAccount", "tools", "builder",
        {"secrets": [{"name": "sa-named"}], "imagePullSecrets": [{"name": "sa-registry"}]})
    secret("shop", "ingress-tls", "kubernetes.io/tls", ("tls.crt", "tls.key"))
    applied = json.dumps({"kind": "Secret", "data": {"tls.key": "bm90IGEgcmVhbCBvbmU="}})
    secret("shop", "applied-tls", "kubernetes.io/tls", ("tls.crt", "tls.key"),
           {"kubectl.kubernetes.io/last-applied-configuration": applied})
    add("networking.k8s.io/v1", "Ingress", "shop", "shop",
        {"spec": {"tls": [{"secretName": "ingress-tls"}, {"secretName": "applied-tls"}]}})
    secret("tools", "gateway-tls", "kubernetes.io/tls", ("tls.crt", "tls.key"))
    add("gateway.networking.k8s.io/v1", "Gateway", "tools", "gateway",
        {"spec": {"listeners": [{"tls": {"certificateRefs": [{"name": "gateway-tls"}]}}]}})


def others():
    """Objects of other tools."""
    eso = "external-secrets.io/v1"
    data = [{"secretKey": "password", "remoteRef": {"key": "x"}}]
    add(eso, "ExternalSecret", "shop", "from-eso", {"spec": {"data": data}})
    add(eso, "ExternalSecret", "shop", "orders", {"spec": {"target": {"name": "orders-db"}, "data": data}})
    secret("shop", "orders-db", owner=("ExternalSecret", "orders"))
    add(eso, "ClusterExternalSecret", "", "all", {"spec": {
        "namespaceSelector": {"matchLabels": {"team": "a"}}, "externalSecretName": "shared",
        "externalSecretSpec": {"data": data}}})
    add(eso, "SecretStore", "shop", "store", {"spec": {"provider": {"vault": {
        "auth": {"tokenSecretRef": {"name": "store-token", "key": "token"}}}}}})
    secret("shop", "store-token", keys=("token",))
    add("external-secrets.io/v1alpha1", "PushSecret", "shop", "push",
        {"spec": {"selector": {"secret": {"name": "pushed"}}}})
    secret("shop", "pushed")
    add("bitnami.com/v1alpha1", "SealedSecret", "pay", "sealed", {"spec": {"encryptedData": {"a": "AgB"}}})
    add("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", "tools", "classes", {"spec": {
        "secretObjects": [{"secretName": "synced", "data": [{"key": "password"}]}]}})
    add("cert-manager.io/v1", "Certificate", "tools", "site", {"spec": {"secretName": "site-tls"}})


def unreadable():
    """What cannot be looked at."""
    add("v1", "Pod", "shop", "hollow")
    add("apps/v1", "Deployment", "shop", "templateless", {"spec": {}})
    ITEMS.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop"}})
    ITEMS.append({"metadata": {"name": "kindless", "namespace": "shop"}})


def main():
    parts = [cluster, part_a, part_b, part_c, part_d, part_e, part_f, part_g, part_h, part_i, part_j,
             part_k, part_l, part_m, part_n, part_o, part_p, part_q, secrets, others, unreadable]
    for part in parts:
        part()
    lines = ",\n".join(json.dumps(item, separators=(",", ":")) for item in ITEMS)
    text = '{"apiVersion":"v1","kind":"List","items":[\n' + lines + "\n]}\n"
    path = os.path.join(HERE, "cluster.json")
    if sys.argv[1:] == ["--check"]:
        with open(path, encoding="utf-8") as file:
            if file.read() != text:
                sys.exit("cluster.json is not what make.py writes: run it")
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
