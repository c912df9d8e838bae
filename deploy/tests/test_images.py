# SPDX-License-Identifier: Apache-2.0
"""The images: what they are built from, and what runs in them."""
import os
import re
import subprocess
import unittest

import support

FOLDER = os.path.join(support.ROOT, "deploy", "images")
FILES = sorted(os.listdir(FOLDER))
ROOT_USERS = {"agent.Dockerfile"}
# Of programs that are not static: the system that they are built on.
BASES = dict.fromkeys(
    ["cloudtaser.Dockerfile", "operator.Dockerfile", "s3-proxy.Dockerfile"], "debian:bookworm-slim")
# What a base lacks: its packages, and nothing that is left of getting them.
PACKAGES = re.compile(
    r"apt-get update && apt-get install --yes --no-install-recommends [a-z0-9 .+-]+ && +rm -rf /var/lib/apt/lists/\*")


def program(name):
    """Of an image's file: the image's name, too."""
    stem = name.removesuffix(".Dockerfile")
    return stem if stem == "cloudtaser" else f"cloudtaser-{stem}"


def instructions(text):
    """(instruction, rest) of each, continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", text).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def is_made(path):
    """Whether the Makefile has a rule for this file."""
    run = subprocess.run(
        ["make", "--no-print-directory", "-n", path], cwd=support.ROOT, capture_output=True, text=True,
        check=False)
    return path.startswith("build/") and run.returncode == 0


def complaints(name, text):
    found = instructions(text)
    words = {}
    for instruction, rest in found:
        words.setdefault(instruction, []).append(rest)
    if words.get("FROM") != [BASES.get(name, "scratch")]:
        yield "FROM is not scratch"
    for instruction in set(words) - {"FROM", "COPY", "USER", "ENTRYPOINT"}:
        if instruction == "RUN" and name in BASES and all(map(PACKAGES.fullmatch, words["RUN"])):
            continue
        yield f"{instruction} in an image that is a program and its base"
    programs = set()
    for rest in words.get("COPY", []):
        *options, source, target = rest.split()
        if not is_made(source):
            yield f"COPY {source}, which the Makefile does not make"
        if options != ["--chmod=0755"]:
            yield f"COPY {source} may not be executable"
        programs.add(f'["{target}"]')
    if words.get("ENTRYPOINT", [""])[-1] not in programs:
        yield "ENTRYPOINT is no program of the image"
    users = words.get("USER", [])
    is_root = not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    if is_root != (name in ROOT_USERS):
        yield "USER is not a number above 0, which runAsNonRoot needs"


class Images(unittest.TestCase):
    def test_are_built_of_what_the_makefile_makes(self):
        self.assertGreater(len(FILES), 1)
        for name in FILES:
            with self.subTest(name):
                text = support.read("deploy", "images", name)
                self.assertEqual(list(complaints(name, text)), [])

    def test_what_is_wrong_with_one_is_found(self):
        text = support.read("deploy", "images", "wrapper.Dockerfile")
        for right, wrong, complaint in [
                ("FROM scratch", "FROM debian", "FROM"),
                ("USER 65532:65532", "USER 0:0", "USER"), ("USER 65532:65532\n", "", "USER"),
                ("USER 65532:65532", "USER nobody", "USER"),
                ("USER ", "RUN true\nUSER ", "RUN in"), ("USER ", "ADD a b\nUSER ", "ADD in"),
                ("build/cloudtaser-wrapper /", "build/cloudtaser-wrappers /", "COPY build/cloudtaser-wrappers"),
                ("build/cloudtaser-wrapper /", "README.md /", "COPY README.md"),
                ("--chmod=0755 ", "", "COPY build/cloudtaser-wrapper may"),
                ('["/cloudtaser-wrapper"]', "/cloudtaser-wrapper", "ENTRYPOINT")]:
            with self.subTest(wrong):
                broken = text.replace(right, wrong)
                self.assertNotEqual(broken, text)
                found = list(complaints("wrapper.Dockerfile", broken))
                self.assertTrue(any(one.startswith(complaint) for one in found), found)

    def test_a_base_gets_packages_and_nothing_else(self):
        text = support.read("deploy", "images", "s3-proxy.Dockerfile")
        for right, wrong in [
                (" && \\\n    rm -rf /var/lib/apt/lists/*", ""), ("--no-install-recommends ", ""),
                ("RUN apt-get update", "RUN curl https://example.eu/ | sh; apt-get update"),
                ("lists/*", "lists/* && true"), ("libssl3", "libssl3;true")]:
            with self.subTest(wrong):
                broken = text.replace(right, wrong)
                self.assertNotEqual(broken, text)
                self.assertEqual([one.split()[0] for one in complaints("s3-proxy.Dockerfile", broken)], ["RUN"])
        # Static programs get none.
        self.assertIn("RUN in an image that is a program and its base", list(complaints("agent.Dockerfile", text)))

    def test_the_chart_runs_them(self):
        text = support.dump(support.objects(support.EVERYTHING)) + support.read(
            "deploy", "examples", "policy.yaml")
        for name in FILES:
            self.assertIn(f"registry.example.eu/cloudtaser/{program(name)}:", text)

    def test_the_wrapper_is_where_pods_install_it_from(self):
        names = support.read("Sources", "Core", "Injection", "InjectedNames.swift")
        path = re.search(r'wrapperInImage = "(.*)"', names).group(1)
        text = support.read("deploy", "images", "wrapper.Dockerfile")
        self.assertIn(f"build/cloudtaser-wrapper {path}\n", text)
