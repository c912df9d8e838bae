#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what is in a cluster by the rules of docs/reference/audit.md and score.md, and shares nothing
with the program that it is compared with: not its code, and not its shortcuts. It knows the objects
that make.py writes and no others; expected.json has what is to come out, by hand.

Usage: count.py [--check] [FILE]
"""
import collections
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KUBERNETES = {"kube-system", "kube-public", "kube-node-lease"}
CLUSTER_WIDE = {"Namespace", "Node", "MutatingWebhookConfiguration", "CloudTaserPolicy", "ClusterExternalSecret"}
TEMPLATES = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job", "CronJob"}
WRAPPER = "cloudtaser-wrapper"
ALL_CHECKS = {
    "memfd_secret": 15, "mlock": 10, "core_dump_exclusion": 5, "dumpable_disabled": 5, "token_protected": 10,
    "environ_scrubbed": 5, "environment_lookup": 10, "agent_connected": 10, "cpu_mitigations": 5,
    "enforce_mode": 15, "deny_programs": 10, "lsm_programs": 15, "confidential_vm": 10, "guard_pages": 5,
    "buffer_canary": 5, "delivery_mode": 15}
# Nobody asked an agent: this is what only one could say, and what it says of the node alone.
OF_AGENTS = {"memfd_secret", "mlock", "agent_connected", "enforce_mode", "deny_programs", "lsm_programs"}
OF_NODES = {"cpu_mitigations", "confidential_vm"}
# What a stored pod is known to have, by its mode of delivery: checks that hold, and points of delivery.
KNOWN = {
    "splice": ({"core_dump_exclusion", "token_protected", "environ_scrubbed", "environment_lookup", "guard_pages",
                "buffer_canary"}, 15),
    "file": ({"core_dump_exclusion", "token_protected", "environ_scrubbed", "guard_pages", "buffer_canary"}, 10),
    "environ": ({"token_protected", "guard_pages", "buffer_canary"}, 0)}


class Cluster:
    def __init__(self, items):
        self.unread = sum(not self.readable(item) for item in items)
        self.items = [item for item in items if self.readable(item)]
        self.runners = [item for item in self.items if item["kind"] in TEMPLATES | {"Pod"}]
        self.named = {self.place(item): item for item in self.runners}
        self.children = collections.defaultdict(list)
        for item in self.runners:
            if self.maker(item):
                self.children[self.maker(item)].append(item)
        self.namespaces = {item["metadata"]["name"]: item["metadata"].get("labels", {})
                           for item in self.items if item["kind"] == "Namespace"}
        self.wrappers = {item["spec"]["wrapper"]["image"] for item in self.items if item["kind"] == "CloudTaserPolicy"}
        self.maps = {self.place(item): item.get("data", {}) for item in self.items if item["kind"] == "ConfigMap"}

    # Objects

    @staticmethod
    def readable(item):
        if "kind" not in item or "name" not in item["metadata"]:
            return False
        spec = item.get("spec", {})
        if item["kind"] == "Pod":
            return bool(spec)
        if item["kind"] == "CronJob":
            spec = spec.get("jobTemplate", {}).get("spec", {})
        return item["kind"] not in TEMPLATES or "template" in spec

    @staticmethod
    def namespace(item):
        return "" if item["kind"] in CLUSTER_WIDE else item["metadata"].get("namespace", "default")

    def place(self, item, kind=None, name=None):
        return self.namespace(item), kind or item["kind"], name or item["metadata"]["name"]

    @staticmethod
    def text(place):
        namespace, kind, name = place
        return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"

    def maker(self, item):
        """The place of the controller, whether that was read or not. A node makes no other pod."""
        for owner in item["metadata"].get("ownerReferences", []):
            if owner.get("controller") and owner["kind"] != "Node":
                return self.place(item, owner["kind"], owner["name"])
        return None

    def top(self, item):
        maker = self.maker(item)
        if maker is None:
            return self.text(self.place(item))
        if maker in self.named:
            return self.top(self.named[maker])
        digest = item["metadata"].get("labels", {}).get("pod-template-hash")
        if maker[1] == "ReplicaSet" and digest and maker[2].endswith("-" + digest):
            return self.text((maker[0], "Deployment", maker[2][:-len(digest) - 1]))
        return self.text(maker)

    # What is counted

    @staticmethod
    def ended(item):
        if item["kind"] == "Job":
            conditions = item.get("status", {}).get("conditions", [])
            return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)
        return item["kind"] == "Pod" and item.get("status", {}).get("phase") in ("Succeeded", "Failed")

    def runs(self, item):
        """Whether a pod of it, or of what it made, has not ended."""
        if item["kind"] == "Pod":
            return not self.ended(item)
        return any(self.runs(child) for child in self.children[self.place(item)])

    def counted(self):
        for item in self.runners:
            if item["kind"] == "Pod":
                yield item
            elif self.maker(item) not in self.named and not self.runs(item):
                pods = self.children[self.place(item)]
                if not (self.ended(item) and any(pod["kind"] == "Pod" for pod in pods)):
                    yield item

    @staticmethod
    def template(item):
        spec = item["spec"]
        if item["kind"] == "Pod":
            return item
        return (spec["jobTemplate"]["spec"] if item["kind"] == "CronJob" else spec)["template"]

    def containers(self, item):
        spec = self.template(item)["spec"]
        return [(kind, container) for kind in ("initContainers", "containers", "ephemeralContainers")
                for container in spec.get(kind, [])]

    @staticmethod
    def wraps(container):
        words = container.get("command", [""])
        return words[0].endswith("/" + WRAPPER) and words[1:2] == ["run"]

    @staticmethod
    def installs(container):
        words = container.get("command", [""])
        return words[0].endswith("/" + WRAPPER) and words[1:2] == ["install"]

    def asks(self, item):
        metadata = self.template(item).get("metadata", {})
        for field in ("annotations", "labels"):
            said = metadata.get(field, {}).get("cloudtaser.io/inject")
            if said is not None:
                # A label that is misspelt asks, so that nobody starts bare by a slip.
                return said not in ("false", "0")
        return self.namespaces.get(self.namespace(item), {}).get("cloudtaser.io/inject") == "true"

    def standing(self, item, container):
        if self.namespace(item) in KUBERNETES or self.ended(item):
            return "excluded"
        return "protected" if self.wraps(container) else "unprotected"

    # What is used

    @staticmethod
    def is_credential(name):
        return bool(re.search("PASSWORD|TOKEN", name))

    def uses(self, item):
        """Of each container, or of None for the pod: id, whether it converts, the Secret's name or None."""
        spec = self.template(item)["spec"]
        for _, container in self.containers(item):
            name = container["name"]
            for entry in container.get("env", []):
                source, value = entry.get("valueFrom", {}), entry.get("value", "")
                if "secretKeyRef" in source:
                    yield name, "CT1001", "yes", source["secretKeyRef"]["name"]
                elif "configMapKeyRef" in source:
                    reference = source["configMapKeyRef"]
                    data = self.maps.get(self.place(item, "ConfigMap", reference["name"]), {})
                    if reference["key"] in data and self.is_credential(reference["key"]):
                        yield name, "CT1007", "after a change", None
                elif value.startswith("vault:"):
                    if not self.wraps(container) and not self.asks(item):
                        yield name, "CT1012", "yes", None
                elif self.is_credential(entry["name"]):
                    yield name, "CT1006", "after a change", None
            for entry in container.get("envFrom", []):
                secret = entry["secretRef"]["name"]
                known = self.place(item, "Secret", secret) in self.secrets()
                yield name, "CT1002", "yes" if known else "after a change", secret
            for word in container.get("args", []):
                if word.startswith("--password="):
                    yield name, "CT1015", "after a change", None
        for volume in spec.get("volumes", []):
            users = [container["name"] for _, container in self.containers(item)
                     if any(mount["name"] == volume["name"] for mount in container.get("volumeMounts", []))]
            for name in users or [None]:
                if "secret" in volume:
                    yield name, "CT1003", "after a change", volume["secret"]["secretName"]
                for source in volume.get("projected", {}).get("sources", []):
                    yield name, "CT1003", "after a change", source["secret"]["name"]
                if "csi" in volume:
                    yield name, "CT1005", "after a change", None
        for entry in spec.get("imagePullSecrets", []):
            yield None, "CT1004", "no", entry["name"]

    def secrets(self):
        return {self.place(item): item for item in self.items if item["kind"] == "Secret"}

    def orphans(self):
        used = {self.place(item, "Secret", secret)
                for item in self.runners for _, _, _, secret in self.uses(item) if secret}
        kept = set()
        for item in self.items:
            kind, spec = item["kind"], item.get("spec", {})
            if kind == "ServiceAccount":
                names = [one["name"] for one in item.get("secrets", []) + item.get("imagePullSecrets", [])]
            elif kind == "Ingress":
                names = [one["secretName"] for one in spec["tls"]]
            elif kind == "Gateway":
                names = [one["name"] for listener in spec["listeners"] for one in listener["tls"]["certificateRefs"]]
            elif kind == "SecretStore":
                names = [spec["provider"]["vault"]["auth"]["tokenSecretRef"]["name"]]
            elif kind == "PushSecret":
                names = [spec["selector"]["secret"]["name"]]
            elif kind == "ExternalSecret":
                names = [spec.get("target", {}).get("name", item["metadata"]["name"])]
            elif kind == "SealedSecret":
                names = [item["metadata"]["name"]]
            elif kind == "SecretProviderClass":
                names = [one["secretName"] for one in spec["secretObjects"]]
            elif kind == "Certificate":
                names = [spec["secretName"]]
            elif kind == "ClusterExternalSecret":
                wanted = spec["namespaceSelector"]["matchLabels"].items()
                kept |= {(namespace, "Secret", spec["externalSecretName"])
                         for namespace, labels in self.namespaces.items() if wanted <= labels.items()}
                continue
            else:
                continue
            kept |= {self.place(item, "Secret", name) for name in names}
        own = {"helm.sh/release.v1", "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"}
        return sorted(self.text(place) for place, item in self.secrets().items()
                      if place not in used | kept and place[0] not in KUBERNETES and item["type"] not in own)

    # How far it is protected

    def assessment(self, item, container):
        """Of one container: by what it is known, its score, tiers, caps and what is lost; or None."""
        mine = [identity for name, identity, _, _ in self.uses(item) if name == container["name"]]
        copies = [identity for identity in mine if identity != "CT1005"]
        missed = item["kind"] == "Pod" and self.asks(item) and not self.wraps(container)
        if not (self.wraps(container) or mine or missed):
            return None
        mode = "none"
        if self.wraps(container):
            spec = self.template(item)["spec"]
            images = [one["image"] for one in spec.get("initContainers", []) if self.installs(one)]
            said = [one["value"] for one in container.get("env", []) if one["name"] == "CLOUDTASER_DELIVERY"]
            mode = said[0] if said and len(images) == 1 and images[0] in self.wrappers else "unknown"
        return ("copied " if copies else "") + mode, self.score(mode, bool(copies))

    @staticmethod
    def score(mode, copied):
        checks = set(ALL_CHECKS)
        if mode == "none":
            holds, given, unknown = set(), 0, OF_NODES
        elif mode == "unknown":
            holds, given, unknown = set(), 0, checks
        else:
            holds, given = KNOWN[mode]
            unknown = OF_AGENTS | OF_NODES
            if mode == "environ":
                unknown = unknown - {"memfd_secret", "mlock"}
        if copied:
            holds, unknown = holds - {"environ_scrubbed"}, unknown - {"environ_scrubbed"}
        least = sum(ALL_CHECKS[check] for check in holds) + given
        most = least + sum(ALL_CHECKS[check] for check in unknown)
        caps = {}
        if copied:
            caps["stored_in_cluster"] = (20, True)
        if mode in ("none", "environ", "unknown"):
            caps["environ_delivery"] = (50, mode != "unknown")
        caps["no_agent"], caps["detect_only"] = (60, mode == "none"), (75, mode == "none")
        low = min([least * 100 // 150] + [limit for limit, _ in caps.values()])
        high = min([-(-most * 100 // 150)] + [limit for limit, certain in caps.values() if certain])
        lost = {check: ALL_CHECKS[check] for check in checks - holds}
        lost["delivery_mode"] -= given
        if not lost["delivery_mode"]:
            del lost["delivery_mode"]
        tiers = {"none": (0, 0), "environ": (1, 1), "file": (1, 2), "splice": (1, 4), "unknown": (0, 4)}[mode]
        if copied:
            tiers = (0, 0)
        return {"score": f"{low}-{high}", "tier": f"T{tiers[0]}", "tierPossible": f"T{tiers[1]}",
                "caps": [name if certain else name + "?" for name, (_, certain) in caps.items()],
                "lost": dict(sorted(lost.items()))}

    # All of it

    def counts(self):
        kinds, spaces = (collections.defaultdict(collections.Counter) for _ in range(2))
        total, classes, scores, readable = collections.Counter(), {}, [], 0
        for item in self.counted():
            for kind, container in self.containers(item):
                standing = self.standing(item, container)
                total[standing] += 1
                kinds[item["kind"]][standing] += 1
                spaces[self.namespace(item)][standing] += 1
                if standing == "excluded" or kind == "ephemeralContainers" or self.installs(container):
                    continue
                readable += 1
                found = self.assessment(item, container)
                if found:
                    row = classes.setdefault(found[0], {"containers": 0, **found[1]})
                    row["containers"] += 1
                    scores.append(tuple(map(int, found[1]["score"].split("-"))))
        total["unreadable"] = self.unread
        return {
            "containers": {**total, "total": sum(total.values())},
            "containersByKind": {name: dict(row) for name, row in kinds.items()},
            "containersByNamespace": {name: dict(row) for name, row in spaces.items()},
            "orphanedSecrets": self.orphans(), "nodes": self.nodes(), "uses": self.used(),
            "protection": classes,
            "summary": {"assessed": len(scores), "total": readable, **summary(scores)}}

    def nodes(self):
        pods = [item for item in self.runners if item["kind"] == "Pod" and not self.ended(item)]
        found = {}
        for node in (item["metadata"]["name"] for item in self.items if item["kind"] == "Node"):
            here = [pod for pod in pods if pod["spec"].get("nodeName") == node]
            all_here = [container for pod in here for _, container in self.containers(pod)]
            found[node] = {"hasAgent": any(self.is_agent(pod) for pod in here),
                           "protected": sum(self.wraps(one) for one in all_here), "containers": len(all_here)}
        return found

    @staticmethod
    def is_agent(pod):
        labels = pod["metadata"].get("labels", {})
        ready = {"type": "Ready", "status": "True"} in pod["status"]["conditions"]
        return ready and labels.get("app.kubernetes.io/component") == "agent" \
            and labels.get("app.kubernetes.io/name") == "cloudtaser"

    def used(self):
        """As discover tells them: of what nothing that was read has made, ended or not, wherever it is."""
        found = collections.defaultdict(collections.Counter)
        for item in self.runners:
            if self.maker(item) not in self.named:
                for _, identity, converts, _ in self.uses(item):
                    found[identity][converts] += 1
        return {identity: dict(row) for identity, row in found.items()}


def summary(scores):
    if not scores:
        return {}
    low, high = (sorted(side) for side in zip(*scores))
    tenth = (len(scores) - 1) // 10
    return {"lowest": f"{low[0]}-{high[0]}", "tenth": f"{low[tenth]}-{high[tenth]}",
            "mean": f"{sum(low) // len(low)}-{-(-sum(high) // len(high))}"}


def main():
    words = [word for word in sys.argv[1:] if word != "--check"]
    with open(words[0] if words else os.path.join(HERE, "cluster.json"), encoding="utf-8") as file:
        counts = Cluster(json.load(file)["items"]).counts()
    if "--check" not in sys.argv:
        return print(json.dumps(counts, indent=1, sort_keys=True))
    with open(os.path.join(HERE, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)
    # The readers are a table of score.md, which nothing here derives.
    for row in expected["protection"].values():
        del row["readers"]
    wrong = [name for name, value in counts.items() if expected.get(name) != value]
    if wrong:
        sys.exit(f"expected.json has other numbers than count.py: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
