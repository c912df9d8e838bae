# SPDX-License-Identifier: Apache-2.0
"""Commands that documents and the chart have people and pods run: their flags are those of the program.

    CLOUDTASER_TOOL=PROGRAM     by default .build/debug/cloudtaser
"""
import functools
import os
import re
import subprocess
import unittest

import support

PROGRAM = os.path.abspath(os.environ.get(
    "CLOUDTASER_TOOL", os.path.join(support.ROOT, ".build", "debug", "cloudtaser")))
FOLDERS = ["how-to", "runbooks", "tutorial"]
# What is agreed on and still being written: a line goes when the program has it.
AGREED = {}
# `s3` hands its words on to the proxy's program, and has no flags of its own.
PASSED_ON = {"s3"}


def pages():
    yield "README.md", support.read("README.md")
    for folder in FOLDERS:
        for name in sorted(os.listdir(os.path.join(support.ROOT, "docs", folder))):
            yield f"docs/{folder}/{name}", support.read("docs", folder, name)


def commands(text):
    """Words of each `cloudtaser …` in blocks and in code: what stands before a pipe, a redirection or a comment."""
    parts = re.findall(r"(?ms)^```\w*\n(.*?)^```", text) + re.findall(r"`([^`\n]+)`", text)
    for part in parts:
        for line in part.replace("\\\n", " ").splitlines():
            for match in re.finditer(r"(?:^|[\s|(])(?:build/)?cloudtaser ([a-z][a-z0-9-]*(?![\w/.-])[^|>#;&)]*)", line):
                yield match.group(1).split()


@functools.cache
def help_of(*words):
    """Flags of a command, or None where there is no such command."""
    run = subprocess.run([PROGRAM, *words, "--help"], capture_output=True, text=True, check=False)
    usage = re.search(r"(?m)^USAGE: cloudtaser ([a-z0-9 -]*)", run.stdout)
    if run.returncode != 0 or not usage or usage.group(1).split()[:len(words)] != list(words):
        return None
    # A flag begins a line of the options; sentences may name others.
    options = [line.split("   ")[0] for line in run.stdout.split("OPTIONS:")[-1].splitlines() if re.match(r" {2}-", line)]
    flags = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(options)))
    # What is run where none of its parts is named.
    usual = re.search(r"(?m)^  ([a-z-]+) \(default\)", run.stdout)
    return flags | ((help_of(*words, usual.group(1)) or set()) if usual else set())


def complaints(words):
    command = words[0]
    if command in PASSED_ON:
        return
    known = help_of(command)
    if known is None and command not in AGREED:
        yield f"there is no command cloudtaser {command}"
        return
    if known is not None and words[1:2] and re.fullmatch(r"[a-z-]+", words[1]):
        known = help_of(*words[:2]) or known
    for word in words[1:]:
        flag = word.split("=")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", flag) and flag not in (known or set()) | AGREED.get(command, set()):
            yield f"cloudtaser {command} has no {flag}"


class Commands(unittest.TestCase):
    def test_documents_name_what_there_is(self):
        count = 0
        for name, text in pages():
            for words in commands(text):
                count += 1
                with self.subTest(page=name, command=" ".join(words)):
                    self.assertEqual(list(complaints(words)), [])
        self.assertGreater(count, 20)

    def test_the_scheduled_audit_is_run_by_flags_that_there_are(self):
        found = support.objects({"audit": {
            **support.AUDIT, "baseline": "first.json", "declarations": "d", "vaultAuthorities": "ca", "retention": 30,
            "signingSecret": "key", "pushURL": "http://push.example.eu:9091"}})
        arguments = support.pod_templates(found)["cloudtaser-audit"]["spec"]["containers"][0]["args"]
        self.assertEqual(list(complaints(arguments)), [])

    def test_what_there_is_not_is_found(self):
        self.assertEqual(list(complaints(["adit", "-"])), ["there is no command cloudtaser adit"])
        self.assertEqual(list(complaints(["audit", "--misspelt=1", "-o", "json"])), ["cloudtaser audit has no --misspelt"])
        self.assertEqual(list(complaints(["events", "verify", "--key", "x"])), ["cloudtaser events has no --key"])
        self.assertEqual(
            list(commands("a\n```sh\nhelm template . | cloudtaser discover - --fail-on high > x   # y\n```\n")),
            [["discover", "-", "--fail-on", "high"]])
        self.assertEqual(list(commands("see `cloudtaser audit --context NAME`.")), [["audit", "--context", "NAME"]])
