# SPDX-License-Identifier: Apache-2.0
"""The chart as Helm renders it, and CEL as one more implementation understands it."""
import copy
import functools
import json
import os

import celpy
import helm_python
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHART = os.path.join(ROOT, "deploy", "helm", "cloudtaser")
OBJECTS = os.path.join(ROOT, "deploy", "tests", "objects")
NAMESPACE = "cloudtaser-system"
# Of whose schemas everything is held to.
VERSIONS = [f"1.{minor}" for minor in range(29, 37)]
# Before rules in CEL: that of the API server which the tests start.
OLD_VERSION = "1.20"
# What the S3 proxy cannot do without.
S3_PROXY = {
    "enabled": True,
    "upstream": {"endpoint": "https://s3.example.eu", "credentialsPath": "secret/s3/upstream"},
    "clients": {"path": "secret/s3/clients"},
    "vault": {"address": "https://vault.example.eu:8200", "role": "s3-proxy", "audience": "vault"},
    "keys": {"transitKey": "s3-objects"},
    "tls": {"secretName": "s3-proxy-tls"},
}
AUDIT = {"enabled": True, "series": {"claim": "audit-series"}}
ALERTS = {"enabled": True, "runbooks": "https://git.example.eu/cloudtaser/docs/runbooks"}
EVERYTHING = {
    "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
    "serviceMonitor": {"enabled": True}, "operator": {"vaultProbe": {"enabled": True}}, "s3Proxy": S3_PROXY, "audit": AUDIT, "alerts": ALERTS,
}


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice: Kubernetes would take the last one in silence."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.YAMLError(f"{node.start_mark}: twice: {twice}")
        return super().construct_mapping(node, deep)


def load_all(text):
    return [document for document in yaml.load_all(text, Loader=_Loader) if document]


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def cases(name):
    """A file of deploy/tests/objects."""
    return load_all(read("deploy", "tests", "objects", name))


def merged(target, patch):
    """RFC 7386: null removes."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def templates(values=None, version="1.36", chart=CHART):
    """Rendered text by template; NOTES.txt too."""
    base = {"image": {"registry": "registry.example.eu/cloudtaser"}, "kubernetesVersion": version}
    with helm_python.Chart.load(chart) as loaded:
        return loaded.render(merged(base, values or {}), name="cloudtaser", namespace=NAMESPACE)


def objects(values=None, version="1.36", chart=CHART):
    return [
        document for path, text in sorted(templates(values, version, chart).items())
        if not path.endswith(".txt") for document in load_all(text)]


def of_kind(found, *kinds):
    return [one for one in found if one["kind"] in kinds]


def named(found, kind, name):
    match = [one for one in of_kind(found, kind) if one["metadata"]["name"] == name]
    assert len(match) == 1, f"{len(match)} of {kind} {name}"
    return match[0]


def pod_templates(found):
    return {
        one["metadata"]["name"]: one["spec"]["jobTemplate"]["spec"]["template"] if one["kind"] == "CronJob"
        else one["spec"]["template"]
        for one in of_kind(found, "Deployment", "DaemonSet", "CronJob")}


def at(tree, path):
    for part in path.split("."):
        tree = tree[part]
    return tree


def nested(path, value):
    """{"a": {"b": value}} for a.b"""
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


@functools.cache
def _program(expression):
    environment = celpy.Environment()
    return environment.program(environment.compile(expression))


def cel(expression, **values):
    """What the expression comes to, in CEL's own types; raises where Kubernetes would fail."""
    given = {
        name: value if isinstance(value, celpy.celtypes.MapType) else celpy.json_to_cel(value)
        for name, value in values.items()}
    result = _program(expression).evaluate(given)
    if isinstance(result, celpy.CELEvalError):
        raise result
    return result


def variables(policy, **given):
    """What a ValidatingAdmissionPolicy's variables come to."""
    found = celpy.celtypes.MapType()
    for variable in policy["spec"].get("variables", []):
        value = cel(variable["expression"], variables=found, **given)
        found[celpy.celtypes.StringType(variable["name"])] = value
    return found


def denials(policy, *, object, namespace=None, params=None):
    """Messages of a ValidatingAdmissionPolicy's validations that are false."""
    given = {"object": object, "namespaceObject": namespace, "params": params}
    given["variables"] = variables(policy, **given)
    return [
        validation["message"] for validation in policy["spec"]["validations"]
        if not cel(validation["expression"], **given)]


def dump(document):
    return json.dumps(document, sort_keys=True)
