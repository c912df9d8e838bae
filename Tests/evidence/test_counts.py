# SPDX-License-Identifier: Apache-2.0
"""Counts of `audit` and `discover` next to those of Fixtures/cluster/count.py, which shares nothing with
them: for the cluster as it is, and for some that differ from it by an object. With COUNT_ALL in the
environment: without each object in turn, and with every change of each kind (half an hour).
"""
import collections
import concurrent.futures
import copy
import importlib.util
import json
import os
import re
import subprocess
import sys
import unittest

import packages

ALL = bool(os.environ.get("COUNT_ALL"))
# Of the objects that differ by more than a number, one of so many: a second each.
ONE_OF = 1 if ALL else 3
CLUSTER = os.path.join(packages.ROOT, "Fixtures", "cluster")
# CT2002 is compared by names.
GROUPED = ("score", "tier", "tierPossible", "caps", "lost")


def hand():
    place = importlib.util.spec_from_file_location("count", os.path.join(CLUSTER, "count.py"))
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module.Cluster


def span(value):
    return f"{value['lower']}-{value['upper']}"


def told(path):
    """What the program says of a file, in the words of count.py."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        made = pool.map(lambda command: packages.run(command, "-o", "json", path), ("audit", "discover"))
    audit, discovery = (json.loads(one.stdout) for one in made)
    kinds, spaces, uses = (collections.defaultdict(collections.Counter) for _ in range(3))
    for row in audit["workloads"]:
        kind, place = row["object"].split(" ")
        kinds[kind][row["standing"]] += 1
        spaces[place.split("/")[0]][row["standing"]] += 1
    for use in discovery["uses"]:
        uses[use["id"]][use["converts"]] += 1
    summary = audit["protection"]["summary"]
    return {
        "containers": {name: count for name, count in audit["containers"].items() if count},
        "containersByKind": {name: dict(row) for name, row in kinds.items()},
        "containersByNamespace": {name: dict(row) for name, row in spaces.items()},
        "nodes": {node["name"]: {name: node[name] for name in ("hasAgent", "protected", "containers")}
                  for node in audit.get("nodes", {"list": []})["list"]},
        "orphanedSecrets": sorted(found["object"] for found in audit["findings"] if found["id"] == "CT2002"),
        "uses": {name: dict(row) for name, row in uses.items()},
        "protection": grouped(map(assessment, audit["protection"]["containers"])),
        "summary": {"assessed": summary["assessed"], "total": summary["total"],
                    **{name: span(value) for name, value in (summary["scores"] or {}).items()}}}


def assessment(row):
    score = row["score"]
    return {
        "containers": row["times"], "score": span(score["ofPlatform"]), "tier": row["tier"],
        "tierPossible": row["tierPossible"],
        "caps": [cap["cap"] + ("" if cap["certain"] else "?") for cap in score["caps"]],
        "lost": {loss["check"]: loss["points"] for loss in score["lost"]}}


def grouped(rows):
    """How many containers have each assessment."""
    found = collections.Counter()
    for row in rows:
        found[json.dumps([row[name] for name in GROUPED], sort_keys=True)] += row["containers"]
    return found


def counted(cluster, items):
    """By count.py, with what is 0 left out as the program's classes leave it out."""
    counts = cluster(items).counts()
    counts["containers"] = {name: count for name, count in counts["containers"].items() if count}
    counts["protection"] = grouped(counts["protection"].values())
    return counts


def stem(item):
    """Objects that make.py writes in one loop differ in their numbers alone."""
    metadata = item["metadata"]
    name = re.sub("[0-9]+", "*", metadata.get("name", "-"))
    return item.get("kind"), metadata.get("namespace"), name, str(item.get("status"))


def first_of_each(items):
    found = {}
    for index, item in enumerate(items):
        found.setdefault(stem(item), index)
    return sorted(found.values())


def pod_of(item):
    spec = item["spec"]
    for name in ("jobTemplate", "spec", "template", "spec"):
        spec = spec.get(name, spec)
    return spec


def ends(item):
    item["status"]["phase"] = "Failed"


def is_nobodys(item):
    del item["metadata"]["ownerReferences"]


def asks(item):
    item["metadata"].setdefault("annotations", {})["cloudtaser.io/inject"] = "true"


def loses_the_wrapper(item):
    for container in pod_of(item)["containers"]:
        container["command"] = ["/app"]


def gets_a_second(item):
    pod_of(item)["containers"].append({"name": "second", "command": ["/b"], "env": [
        {"name": "X", "valueFrom": {"secretKeyRef": {"name": "old-api", "key": "password"}}}]})


def moves(item):
    item["metadata"]["namespace"] = "kube-system"


def has_no_name(item):
    del item["metadata"]["name"]


CHANGES = {
    ends: lambda item: item["kind"] == "Pod" and "spec" in item,
    is_nobodys: lambda item: "ownerReferences" in item["metadata"],
    asks: lambda item: item["kind"] == "Pod",
    loses_the_wrapper: lambda item: "cloudtaser-wrapper" in json.dumps(item.get("spec", {})),
    gets_a_second: lambda item: "containers" in json.dumps(item.get("spec", {})),
    moves: lambda item: "namespace" in item["metadata"],
    has_no_name: lambda item: "name" in item["metadata"]}


class Counts(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.cluster = hand()
        self.items = packages.read(CLUSTER, "cluster.json")["items"]

    def compare(self, items, what):
        path = packages.write({"apiVersion": "v1", "kind": "List", "items": items}, packages.place(), "counts.json")
        with self.subTest(what):
            self.assertEqual(told(path), counted(self.cluster, items))

    def test_expected_numbers_are_what_the_rules_make(self):
        done = subprocess.run([sys.executable, os.path.join(CLUSTER, "count.py"), "--check"], check=False)
        self.assertEqual(done.returncode, 0)

    def test_the_cluster(self):
        self.compare(self.items, "as it is")

    def test_without_one_object(self):
        chosen = range(len(self.items)) if ALL else first_of_each(self.items)[::ONE_OF]
        for index in chosen:
            self.compare(self.items[:index] + self.items[index + 1:], f"without {stem(self.items[index])}")

    def test_with_one_object_changed(self):
        for turn, index in enumerate(first_of_each(self.items)[-1::-ONE_OF]):
            fitting = [change for change, fits in CHANGES.items()
                       if "kind" in self.items[index] and fits(self.items[index])]
            if fitting:
                # One each, by turns: every change comes to many kinds of objects.
                for change in fitting if ALL else [fitting[turn % len(fitting)]]:
                    items = list(self.items)
                    items[index] = copy.deepcopy(items[index])
                    change(items[index])
                    self.compare(items, f"{stem(items[index])} {change.__name__}")

    def test_a_wrong_number_is_seen(self):
        items = copy.deepcopy(self.items)
        path = packages.write({"apiVersion": "v1", "kind": "List", "items": items}, packages.place(), "counts.json")
        items.pop()
        said, right = told(path), counted(self.cluster, items)
        self.assertNotEqual(said["containers"], right["containers"])


if __name__ == "__main__":
    unittest.main()
