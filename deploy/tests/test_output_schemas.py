# SPDX-License-Identifier: Apache-2.0
"""What the tool prints as JSON, against the schemas that docs/reference publishes.

    CLOUDTASER_TOOL=PROGRAM     by default .build/debug/cloudtaser
"""
import copy
import functools
import json
import os
import subprocess
import unittest

import jsonschema

import support
from test_commands import PROGRAM

CLUSTER = os.path.join(support.ROOT, "Fixtures", "cluster", "cluster.json")
DECLARED = ["--declarations", os.path.join(support.ROOT, "deploy", "tests", "declarations.yaml")]
FOLDER = os.path.join("docs", "reference")
# By schema: words, and how such a run may end. Objects of the fixture cannot be read; what `doctor` finds is the machine's.
COMMANDS = {
    "validation": (["validate", CLUSTER, *DECLARED], {3}),
    "status": (["status", CLUSTER, "--without-vaults"], {3}),
    "doctor": (["doctor", "--node"], {0, 3, 4}),
    "netpol-check": (["netpol", "check", CLUSTER, "--vault-address", "https://10.0.0.5:8200"], {4}),
    "discovery": (["discover", CLUSTER], {4}),
    "audit": (["audit", CLUSTER, *DECLARED], {4}),
}
# Lists that have something to say about this fixture, and what no such entry has.
ENTRIES = {
    "validation": ["checks", "pods", "findings", "accepted", "unread"], "status": ["lines"], "doctor": ["checks"],
    "netpol-check": ["rows", "unread"], "discovery": ["uses", "unread"], "audit": ["findings", "accepted", "unread"],
}
# Without a Node nothing is said of nodes.
OPTIONAL = {"audit": {"nodes"}}


@functools.cache
def schema(name):
    value = json.loads(support.read(FOLDER, f"{name}.schema.json"))
    jsonschema.Draft202012Validator.check_schema(value)
    return jsonschema.Draft202012Validator(value)


@functools.cache
def printed(name):
    words, codes = COMMANDS[name]
    done = subprocess.run(
        [PROGRAM, *words, "-o", "json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode in codes, (done.returncode, done.stderr)
    return done.stdout


def beginning(name):
    """Of each list the first entries: thousands say the same of a change. As many as a schema asks for."""
    whole = json.loads(printed(name))
    short = {key: value[:10] if isinstance(value, list) else value for key, value in whole.items()}
    assert complaints(name, short) == []
    return short


def complaints(name, document):
    return [error.message for error in schema(name).iter_errors(document)]


class Schemas(unittest.TestCase):
    def test_what_is_printed_is_as_they_say(self):
        for name in COMMANDS:
            with self.subTest(name):
                self.assertEqual(complaints(name, json.loads(printed(name))), [])

    def test_another_document_is_refused(self):
        for name in COMMANDS:
            whole = beginning(name)
            # A number that is none of a count.
            changes = [{"more": 1}, *({member: 17.5} for member in whole)]
            for change in changes:
                with self.subTest(name, change=change):
                    self.assertNotEqual(complaints(name, whole | change), [])
            required = schema(name).schema["required"]
            self.assertEqual(set(whole) - set(required), OPTIONAL.get(name, set()))
            for member in required:
                with self.subTest(name, without=member):
                    self.assertNotEqual(
                        complaints(name, {key: value for key, value in whole.items() if key != member}), [])

    def test_another_entry_is_refused(self):
        for name, lists in ENTRIES.items():
            whole = beginning(name)
            for member in lists:
                self.assertTrue(whole[member], f"{name} has no {member}: the control shows nothing")
                for change in [{"more": 1}, *({key: {}} for key in whole[member][0])]:
                    broken = copy.deepcopy(whole)
                    broken[member][0] |= change
                    with self.subTest(name, member=member, change=change):
                        self.assertNotEqual(complaints(name, broken), [])

    def test_each_is_named_by_a_page(self):
        pages = "".join(
            support.read(FOLDER, one) for one in sorted(os.listdir(os.path.join(support.ROOT, FOLDER)))
            if one.endswith(".md"))
        for name in COMMANDS:
            self.assertIn(f"({name}.schema.json)", pages)


if __name__ == "__main__":
    unittest.main()
