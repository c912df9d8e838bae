# SPDX-License-Identifier: Apache-2.0
"""Releases of small files that look like programs: nothing is built."""
import contextlib
import copy
import io
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

import lock as locks
import release
import sbom

ARCHIVES = {name: f"1:{index}.0+deb12u1~1" for index, name in enumerate(sorted(locks.DEBIAN_LICENCES))}
FACTS = {
    "version": "0.1.0", "commit": "a" * 40, "time": "2026-11-27T12:00:00Z", "swift": "6.3.1", "archives": ARCHIVES,
    "distribution": "debian-12"}


def program(is_static, more=b"", machine=62):
    """Heads of an ELF file with one program header."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1 if is_static else 3, 0, 0, 0, 0, 0, 0, 0) + more


def write(folder, name, content):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


class Folder(unittest.TestCase):
    def setUp(self):
        self.lock = locks.read()
        self.source = self.enterContext(tempfile.TemporaryDirectory())
        self.target = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "release")
        for name in locks.PROGRAMS:
            write(self.source, name, program(name in locks.STATIC, name.encode()))
        # What is beside them is not released.
        write(self.source, "attack", program(True))

    def collect(self):
        release.collect(self.source, self.target, self.lock, FACTS)

    def complaints(self):
        return list(release.complaints(self.target))

    def resum(self):
        """The list of checksums anew, as who changes a release would."""
        with open(os.path.join(self.target, release.SUMS), "w", encoding="utf-8") as file:
            for name in sorted(set(os.listdir(self.target)) - {release.SUMS}):
                file.write(f"{release.sha256(os.path.join(self.target, name))}  {name}\n")

    def parts(self):
        with open(os.path.join(self.target, release.PARTS), encoding="utf-8") as file:
            return json.load(file)

    def change_parts(self, change):
        found = self.parts()
        change(found)
        write(self.target, release.PARTS, json.dumps(found).encode())
        self.resum()


class Collecting(Folder):
    def test_a_release_is_whole(self):
        self.collect()
        self.assertEqual(self.complaints(), [])
        self.assertEqual(
            set(os.listdir(self.target)),
            {*locks.PROGRAMS, "LICENSE", release.SUMS, release.PARTS, release.LOCK})
        for name in locks.PROGRAMS:
            self.assertTrue(os.access(os.path.join(self.target, name), os.X_OK))

    def test_sha256sum_takes_its_list(self):
        self.collect()
        run = subprocess.run(
            ["sha256sum", "--check", "--strict", release.SUMS], cwd=self.target, capture_output=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_the_same_programs_make_the_same_release(self):
        self.collect()
        first = self.target
        self.target = first + "-again"
        self.collect()
        for name in os.listdir(first):
            self.assertEqual(
                release.sha256(os.path.join(first, name)), release.sha256(os.path.join(self.target, name)), name)
        shutil.rmtree(self.target)
        write(self.source, "cloudtaser", program(False, b"other"))
        self.collect()
        number = self.parts()["serialNumber"]
        self.target = first
        self.assertNotEqual(self.parts()["serialNumber"], number)

    def test_nothing_old_gets_in(self):
        os.makedirs(self.target)
        write(self.target, "old", b"")
        with self.assertRaisesRegex(locks.Problem, "not empty"):
            self.collect()

    def test_a_program_that_is_missing_is_told(self):
        os.remove(os.path.join(self.source, "cloudtaser-operator"))
        with self.assertRaisesRegex(locks.Problem, "cloudtaser-operator is not there: make build"):
            self.collect()

    def test_a_program_of_another_kind_is_refused(self):
        for name, content, problem in [
                ("cloudtaser-wrapper", program(False), "cloudtaser-wrapper is not static"),
                ("cloudtaser-operator", program(True), "cloudtaser-operator is static"),
                ("cloudtaser", b"#!/bin/sh\n", "no program for x86-64"),
                ("cloudtaser", program(False, machine=183), "no program for x86-64")]:
            good = os.path.join(self.source, name)
            with open(good, "rb") as file:
                before = file.read()
            write(self.source, name, content)
            with self.subTest(name=name, problem=problem), self.assertRaisesRegex(locks.Problem, problem):
                self.collect()
            write(self.source, name, before)
            shutil.rmtree(self.target, ignore_errors=True)


class Checking(Folder):
    def setUp(self):
        super().setUp()
        self.collect()

    def test_what_was_done_to_a_file_is_found(self):
        path = os.path.join(self.target, "cloudtaser-agent")
        with open(path, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"!")
        self.assertIn("cloudtaser-agent was changed", self.complaints())

    def test_a_program_that_was_exchanged_with_its_checksum_is_found(self):
        write(self.target, "cloudtaser-agent", program(True, b"another"))
        self.resum()
        self.assertEqual(
            self.complaints(), ["cloudtaser.cdx.json: cloudtaser-agent is not the program that the list of parts is of"])

    def test_more_and_less_are_found(self):
        write(self.target, "more", b"")
        os.remove(os.path.join(self.target, "LICENSE"))
        found = self.complaints()
        self.assertIn("more is there, and not in SHA256SUMS", found)
        self.assertIn("LICENSE is in SHA256SUMS, and not there", found)

    def test_what_no_list_names_is_missed(self):
        os.remove(os.path.join(self.target, "cloudtaser-wrapper"))
        self.resum()
        found = self.complaints()
        self.assertIn("cloudtaser-wrapper is missing in SHA256SUMS", found)
        self.assertIn("cloudtaser.cdx.json: cloudtaser-wrapper is in the list of parts, and not there", found)

    def test_a_link_is_no_file(self):
        os.remove(os.path.join(self.target, "LICENSE"))
        os.symlink(os.path.join(locks.ROOT, "LICENSE"), os.path.join(self.target, "LICENSE"))
        self.assertIn("LICENSE is no file", self.complaints())

    def test_a_list_that_leads_elsewhere_is_refused(self):
        for line in ["0" * 64 + "  ../x", "0" * 64 + "  /etc/passwd", "0" * 64 + " *x", "0" * 63 + "  x", "x"]:
            with self.subTest(line), self.assertRaisesRegex(locks.Problem, "SHA256SUMS:1"):
                release.names(line + "\n")
        with self.assertRaisesRegex(locks.Problem, "twice"):
            release.names(f"{'0' * 64}  x\n" * 2)

    def test_a_folder_without_a_list_is_no_release(self):
        with self.assertRaisesRegex(locks.Problem, "it is no release"):
            list(release.complaints(self.source))

    def test_the_command_says_it(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(release.main(["check", self.target]), 0)
            write(self.target, "more", b"")
            self.assertEqual(release.main(["check", self.target]), 1)
        self.assertIn(": whole\n", out.getvalue())
        self.assertIn("more is there", out.getvalue())
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(release.main(["check"]), 2)
            self.assertEqual(release.main(["check", self.source]), 1)


class Parts(Folder):
    def setUp(self):
        super().setUp()
        self.collect()

    def test_are_of_the_schema(self):
        self.assertEqual(sbom.violations(json.dumps(self.parts())), [])

    def test_what_is_not_of_the_schema_is_found(self):
        for change in [
                lambda found: found.update(misspelt=1), lambda found: found.update(serialNumber="1"),
                lambda found: found["components"][0].update(type="program"),
                lambda found: found["components"][0]["hashes"][0].update(content="x"),
                lambda found: found["components"][-1].update(licenses=[{"license": {"id": "Apache 2"}}])]:
            self.change_parts(change)
            found = self.complaints()
            self.assertEqual(len(found), 1, found)
            self.assertTrue(found[0].startswith("cloudtaser.cdx.json: "))
            shutil.rmtree(self.target)
            self.collect()

    def test_name_what_is_linked_with_version_licence_and_place(self):
        parts = {one["name"]: one for one in self.parts()["components"]}
        nio = parts["swift-nio"]
        pinned = next(one for one in self.lock["packages"] if one["identity"] == "swift-nio")
        self.assertEqual(nio["version"], pinned["version"])
        self.assertEqual(nio["purl"], f"pkg:swift/github.com/apple/swift-nio@{pinned['version']}")
        self.assertEqual(nio["licenses"], [{"license": {"id": "Apache-2.0"}}])
        self.assertEqual(nio["properties"], [{"name": "cloudtaser:revision", "value": pinned["revision"]}])
        self.assertEqual([one["name"] for one in nio["components"]], ["KAME SHA-1", "llhttp"][::-1])
        self.assertEqual(parts["libseccomp-dev"]["licenses"], [{"license": {"id": "LGPL-2.1-only"}}])
        self.assertIn("%2Bdeb12u1", parts["libseccomp-dev"]["purl"])
        self.assertTrue(parts["libstdc++-12-dev"]["purl"].startswith("pkg:deb/debian/libstdc%2B%2B-12-dev@"))
        self.assertNotIn("linux-libc-dev", parts)

    def test_each_program_has_its_own(self):
        graph = {one["ref"]: one["dependsOn"] for one in self.parts()["dependencies"]}
        wrapper = graph["program/cloudtaser-wrapper"]
        self.assertFalse([one for one in wrapper if one.startswith("pkg:swift/")])
        self.assertTrue([one for one in wrapper if "libssl-dev" in one])
        self.assertFalse([one for one in wrapper if "libbpf" in one])
        operator = graph["program/cloudtaser-operator"]
        self.assertTrue([one for one in operator if "/swift-nio@" in one])
        self.assertFalse([one for one in operator if one.startswith("pkg:deb/")])

    def test_what_contradicts_the_lock_or_itself_is_found(self):
        def part(found, name):
            return next(one for one in found["components"] if one["name"] == name)

        def edge(found, ref):
            return next(one for one in found["dependencies"] if one["ref"] == ref)["dependsOn"]

        def gone(found):
            url = part(found, "yams")["bom-ref"]
            found["components"].remove(part(found, "yams"))
            for one in found["dependencies"]:
                if url in one["dependsOn"]:
                    one["dependsOn"].remove(url)
            found["dependencies"] = [one for one in found["dependencies"] if one["ref"] != url]

        for change, words in [
                (gone, "Yams@.* is locked, and not told"),
                (lambda found: part(found, "swift-log").update(licenses=[{"license": {"id": "AGPL-3.0-only"}}]),
                 "AGPL-3.0-only, which is not allowed"),
                (lambda found: part(found, "swift-log").pop("licenses"), "licence not said"),
                (lambda found: found["components"].remove(part(found, "swift-log")), "depended on, and no component"),
                (lambda found: found["components"].append({
                    "type": "library", "bom-ref": "x", "name": "x", "licenses": [{"license": {"id": "MIT"}}]}),
                 "x is a component, and part of nothing"),
                (lambda found: edge(found, "program/cloudtaser-wrapper").append(part(found, "swift-log")["bom-ref"]),
                 "cloudtaser-wrapper: .*swift-log.* is told, and not locked"),
                (lambda found: edge(found, "program/cloudtaser-wrapper").remove(part(found, "libcap-dev")["bom-ref"]),
                 "cloudtaser-wrapper: its archives of Debian are not those")]:
            with self.subTest(words):
                self.change_parts(change)
                self.assertRegex("\n".join(self.complaints()), words)
                shutil.rmtree(self.target)
                self.collect()
                self.assertEqual(self.complaints(), [])


class Lock(unittest.TestCase):
    SHOWN = {"dependencies": [
        {"identity": "a", "version": "1.0.0", "dependencies": [{"identity": "b", "version": "2.0.0", "dependencies": []}]},
        {"identity": "unused", "version": "3.0.0", "dependencies": []}]}
    RESOLVED = {"pins": [
        {"identity": name, "location": f"https://github.com/x/{name}.git",
         "state": {"revision": name * 40, "version": version}}
        for name, version in [("a", "1.0.0"), ("b", "2.0.0"), ("unused", "3.0.0")]]}
    DUMP = {"targets": [
        *({"name": name, "dependencies": []} for name in locks.PROGRAMS if name != "cloudtaser-wrapper"),
        {"name": "cloudtaser-wrapper", "dependencies": [{"byName": ["Inner", None]}]},
        {"name": "Inner", "dependencies": [{"product": ["A", "a", None, None]}, {"target": ["COpenSSL", None]}]},
        {"name": "COpenSSL", "dependencies": []}]}

    def setUp(self):
        self.checkouts = self.enterContext(tempfile.TemporaryDirectory())
        for name in "a", "b", "unused":
            os.mkdir(os.path.join(self.checkouts, name))
            write(os.path.join(self.checkouts, name), "LICENSE.txt", b"Apache License\n  Version 2.0, January 2004")

    def locked(self, **changed):
        given = {"resolved": self.RESOLVED, "shown": self.SHOWN, "dump": self.DUMP, **changed}
        return locks.locked(given["resolved"], given["shown"], given["dump"], self.checkouts)

    def test_says_what_goes_into_which_program(self):
        found = self.locked()
        self.assertEqual(found["programs"]["cloudtaser-wrapper"], {
            "packages": ["a", "b"], "archives": ["libc6-dev", "libgcc-12-dev", "libssl-dev", "libstdc++-12-dev"]})
        self.assertEqual(found["programs"]["cloudtaser"], {"packages": [], "archives": []})
        self.assertEqual(
            [(one["identity"], one["linked"], one["dependsOn"]) for one in found["packages"]],
            [("a", True, ["b"]), ("b", True, []), ("unused", False, [])])

    def test_another_version_is_told(self):
        other = copy.deepcopy(self.RESOLVED)
        other["pins"][1]["state"] = {"revision": "c" * 40, "version": "2.0.1"}
        shown = json.loads(json.dumps(self.SHOWN).replace("2.0.0", "2.0.1"))
        self.assertEqual(
            list(locks.differences(self.locked(), self.locked(resolved=other, shown=shown))),
            [f"b: 2.0.0 ({'b' * 12}) is locked, 2.0.1 ({'c' * 12}) is here"])
        self.assertEqual(list(locks.differences(self.locked(), self.locked())), [])
        with self.assertRaisesRegex(locks.Problem, "b: 2.0.0 is checked out, Package.resolved says 2.0.1"):
            self.locked(resolved=other)

    def test_the_same_version_at_another_revision_is_told(self):
        other = copy.deepcopy(self.RESOLVED)
        other["pins"][0]["state"]["revision"] = "d" * 40
        self.assertEqual(
            list(locks.differences(self.locked(), self.locked(resolved=other))),
            [f"a: 1.0.0 ({'a' * 12}) is locked, 1.0.0 ({'d' * 12}) is here"])

    def test_a_branch_is_no_version(self):
        other = copy.deepcopy(self.RESOLVED)
        other["pins"][0]["state"] = {"revision": "d" * 40, "branch": "main"}
        with self.assertRaisesRegex(locks.Problem, "a is not of a version"):
            self.locked(resolved=other)

    def test_a_licence_is_read_and_not_believed(self):
        folder = os.path.join(self.checkouts, "a")
        write(folder, "LICENSE.txt", b"The MIT License (MIT)\n\nPermission is hereby granted, free of charge, to any")
        self.assertEqual(self.locked()["packages"][0]["licence"], "MIT")
        write(folder, "LICENSE.txt", b"GNU AFFERO GENERAL PUBLIC LICENSE")
        with self.assertRaisesRegex(locks.Problem, "a licence that is not known"):
            self.locked()
        os.remove(os.path.join(folder, "LICENSE.txt"))
        with self.assertRaisesRegex(locks.Problem, "has no licence"):
            self.locked()

    def test_pins_what_it_holds(self):
        lock = self.locked()
        again = locks.resolved(lock)
        self.assertEqual(
            [(one["identity"], one["state"]["version"], one["state"]["revision"]) for one in again["pins"]],
            [(one["identity"], one["version"], one["revision"]) for one in lock["packages"]])
        self.assertEqual(again["version"], 3)


class ThisOne(unittest.TestCase):
    """The lock of this repository."""

    def test_every_licence_is_allowed(self):
        for one in locks.read()["packages"]:
            self.assertIn(one["licence"], sbom.LICENCES, one["identity"])
            for bundle in one["bundles"]:
                self.assertIn(bundle["licence"], sbom.LICENCES, bundle["name"])

    def test_programs_are_linked_with_what_the_manifest_says(self):
        lock = locks.read()
        own, packages = locks.targets(json.loads(release.output("swift", "package", "dump-package")))
        graph = {one["identity"]: one["dependsOn"] for one in lock["packages"]}
        for name in locks.PROGRAMS:
            inside = locks.closure(own, [name])
            direct = set().union(*(packages.get(one, set()) for one in inside))
            self.assertEqual(
                sorted(locks.closure(graph, direct)), lock["programs"][name]["packages"],
                f"{name}: run deploy/release/release.py lock")

    def test_the_makefile_builds_these(self):
        with open(os.path.join(locks.ROOT, "Makefile"), encoding="utf-8") as file:
            text = file.read()
        programs = next(line for line in text.splitlines() if line.startswith("PROGRAMS := "))
        self.assertEqual(sorted(programs.split()[2:]), sorted(locks.PROGRAMS))
        static = next(line for line in text.splitlines() if line.startswith("STATIC_PROGRAMS := "))
        self.assertEqual(sorted(set(static.split()[2:]) & set(locks.PROGRAMS)), sorted(locks.STATIC))

    def test_every_archive_is_installed_by_setup_or_part_of_what_is(self):
        for name in sorted({one for program in locks.read()["programs"].values() for one in program["archives"]}):
            version = release.output("dpkg-query", "--show", "--showformat=${Version}", name)
            self.assertTrue(version, name)
