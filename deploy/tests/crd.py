# SPDX-License-Identifier: Apache-2.0
"""A CustomResourceDefinition's schema, applied as an API server applies it."""
import jsonschema
import re2

from support import cel


def _pattern(_, pattern, instance, __):
    # As the API server matches: Python's `$` also matches before a line feed at the end.
    if isinstance(instance, str) and not re2.search(pattern, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _map_keys(_, keys, instance, __):
    seen = []
    for item in instance if isinstance(instance, list) else []:
        key = [item.get(name) for name in keys] if isinstance(item, dict) else item
        if key in seen:
            yield jsonschema.ValidationError(f"{key} is there twice")
        seen.append(key)


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _pattern, "x-kubernetes-list-map-keys": _map_keys})


def schema(definition):
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def rules(node, path=""):
    """Each rule in CEL with where it stands, as (path, rule)."""
    for rule in node.get("x-kubernetes-validations", []):
        yield path, rule
    for name, child in node.get("properties", {}).items():
        yield from rules(child, f"{path}.{name}")
    if "items" in node:
        yield from rules(node["items"], path + "[]")


def _evaluate(node, value, old, path=""):
    for rule in node.get("x-kubernetes-validations", []):
        is_transition = "oldSelf" in rule["rule"]
        if is_transition and old is None:
            continue
        given = {"self": value} | ({"oldSelf": old} if is_transition else {})
        if not cel(rule["rule"], **given):
            yield f"{path}: {rule['message']}"
    for name, child in node.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            former = old.get(name) if isinstance(old, dict) else None
            yield from _evaluate(child, value[name], former, f"{path}.{name}")
    if "items" in node and isinstance(value, list):
        for item in value:
            yield from _evaluate(node["items"], item, None, path + "[]")


def without_nulls(value):
    """An API server drops null where a field does not allow it (from 1.20)."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    return value


def complaints(definition, value, old=None):
    """What is wrong with an object, or with its update; rules only where its shape is right."""
    value = without_nulls(value)
    wrong = [
        f".{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _Validator(schema(definition)).iter_errors(value)]
    return wrong or list(_evaluate(schema(definition), value, old))


def undeclared(node, value, path=""):
    """Fields that the schema does not know, in values that are complete."""
    properties = node.get("properties")
    if properties is not None and isinstance(value, dict):
        for name, one in value.items():
            if name in properties:
                yield from undeclared(properties[name], one, f"{path}.{name}")
            elif path:
                yield f"{path}.{name}"
    if "items" in node and isinstance(value, list):
        for one in value:
            yield from undeclared(node["items"], one, path + "[]")
