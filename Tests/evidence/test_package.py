# SPDX-License-Identifier: Apache-2.0
"""Packages as folders: schemas, verification, making one again."""
import html.parser
import os
import unittest

import jsonschema

import packages


class Faults(unittest.TestCase):
    def refused(self, folder, text, kind="ed25519"):
        result = packages.verify(folder, kind)
        self.assertEqual(result.returncode, 3, result.stdout + result.stderr)
        self.assertIn(text, result.stderr)

    def test_packages_as_they_were_made_verify(self):
        for use in packages.USES:
            with self.subTest(use):
                result = packages.verify(packages.package(use))
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_one_flipped_bit_in_any_file_is_named(self):
        folder = packages.copy(packages.package("soc2"))
        names = packages.files(folder)
        self.assertGreater(len(names), 40)
        for name, data in names.items():
            # Everywhere in what holds the rest together, somewhere in each other file.
            own = name in ("manifest.json", "statement.json", "statement.dsse.json")
            for index in {0, len(data) // 2, len(data) - 1} if own else {len(name) * 7919 % len(data)}:
                changed = bytearray(data)
                changed[index] ^= 1
                self.put(folder, name, bytes(changed))
                with self.subTest(name, index=index):
                    # Broken JSON is told by what cannot be read.
                    self.refused(folder, os.path.basename(name).split("@")[0])
            self.put(folder, name, data)
        self.assertEqual(packages.verify(folder).returncode, 0)

    @staticmethod
    def put(folder, name, data):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)

    def test_a_missing_file_is_named(self):
        folder = packages.copy(packages.package("dora"))
        for name in ("sheet.md", "manifest.json", "statement.json", "statement.dsse.json",
                     "oscal/claims-catalog.json", "manual.json"):
            path = os.path.join(folder, name)
            os.rename(path, f"{folder}-aside")
            with self.subTest(name):
                self.refused(folder, f"{name}: missing")
            os.rename(f"{folder}-aside", path)
        self.assertEqual(packages.verify(folder).returncode, 0)

    def test_an_extra_file_and_a_link_are_named(self):
        folder = packages.copy(packages.package("dora"))
        self.put(folder, "records/new.json", b"{}")
        self.refused(folder, "records/new.json: not in the manifest")
        os.remove(os.path.join(folder, "records/new.json"))
        os.rename(os.path.join(folder, "sheet.md"), f"{folder}-aside")
        os.symlink(f"{folder}-aside", os.path.join(folder, "sheet.md"))
        self.refused(folder, "sheet.md: not a regular file")

    def test_names_that_are_no_text_hide_nothing(self):
        folder = packages.copy(packages.package("dora"))
        for name in (b"note\xff", b"re\xc3/cords.json", b"new\nline", b"\x1b[2J"):
            path = os.path.join(os.fsencode(folder), name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(b"{}")
            with self.subTest(name):
                self.refused(folder, "\N{REPLACEMENT CHARACTER}")
                self.assertNotIn("\x1b", packages.verify(folder).stderr)
            os.remove(path)
            if b"/" in name:
                os.rmdir(os.path.dirname(path))
        self.assertEqual(packages.verify(folder).returncode, 0)

    def test_a_pipe_holds_nobody_up(self):
        folder = packages.copy(packages.package("dora"))
        os.mkfifo(os.path.join(folder, "pipe"))
        self.refused(folder, "pipe: not a regular file")

    def test_another_key_is_refused(self):
        self.refused(packages.package("dora"), "not signed with the key", kind="p256")

    def test_an_unsigned_package_is_no_signed_one(self):
        out = os.path.join(packages.place(), "packages", "unsigned")
        packages.run("evidence", "package", "--for", "dora", *packages.PERIOD, *packages.inputs(),
                     "--out", out)
        self.refused(out, "statement.dsse.json: missing")


class Again(unittest.TestCase):
    def test_a_package_made_again_from_itself_is_the_same(self):
        for use in packages.USES:
            folder = packages.package(use)
            out = os.path.join(packages.place(), "again", use)
            packages.run(
                "evidence", "package", "--for", use, *packages.PERIOD,
                "--catalogue", os.path.join(folder, "catalogue"),
                "--records", os.path.join(folder, "records"),
                "--audits", os.path.join(folder, "audits"),
                "--manual", os.path.join(folder, "manual.json"),
                "--scenario", "SC-3", "--declared-by", "Office <of> data", "--out", out,
                "--sign", "--key", packages.keys("ed25519")[0])
            with self.subTest(use):
                self.assertEqual(packages.files(out), packages.files(folder))

    def test_a_folder_with_something_in_it_is_not_written(self):
        folder = packages.copy(packages.package("soa"))
        words = ["evidence", "package", "--for", "dora", *packages.PERIOD, *packages.inputs(),
                 "--out", folder]
        before = packages.files(folder)
        self.assertIn("not empty", packages.run(*words).stderr)
        self.assertEqual(packages.files(folder), before)
        Faults.put(folder, "notes.txt", b"mine")
        forced = packages.run(*words, "--force")
        self.assertEqual(forced.returncode, 1)
        self.assertIn("notes.txt", forced.stderr)
        os.remove(os.path.join(folder, "notes.txt"))
        self.assertEqual(packages.run(*words, "--force").returncode, 4)
        self.assertEqual(packages.read(folder, "manifest.json")["use"], "dora")
        self.assertNotIn("statement.dsse.json", packages.files(folder), "of the other package")


class Sheets(unittest.TestCase):
    SCHEMAS = os.path.join(packages.ROOT, "docs", "reference")

    def schema(self, name):
        value = packages.read(self.SCHEMAS, name)
        jsonschema.Draft202012Validator.check_schema(value)
        return jsonschema.Draft202012Validator(value)

    def test_sheets_and_manifests_are_as_their_schemas_say(self):
        for use in packages.USES:
            for name, schema in (("sheet.json", "evidence-sheet.schema.json"),
                                 ("manifest.json", "evidence-manifest.schema.json"),
                                 ("manual.json", "evidence-manual.schema.json")):
                with self.subTest(f"{use}: {name}"):
                    value = packages.read(packages.package(use), name)
                    errors = self.schema(schema).iter_errors(value)
                    self.assertEqual([error.message for error in errors], [])

    def test_schemas_refuse_other_members_and_missing_ones(self):
        for name, schema in (("sheet.json", "evidence-sheet.schema.json"),
                             ("manifest.json", "evidence-manifest.schema.json"),
                             ("manual.json", "evidence-manual.schema.json")):
            value = packages.read(packages.package("soc2"), name)
            self.assertFalse(self.schema(schema).is_valid({**value, "verdict": "good"}))
            for key in ("kind", "apiVersion"):
                less = {member: value[member] for member in value if member != key}
                self.assertFalse(self.schema(schema).is_valid(less), f"{name}: {key}")

    def test_the_series_shows_its_gaps(self):
        sheet = packages.read(packages.package("soc2"), "sheet.json")
        self.assertEqual(len(sheet["series"]), 30)
        days = {day["day"] for day in sheet["series"] if "no audit" in day["gaps"]}
        self.assertEqual(days, {"2026-11-07", "2026-11-08"})
        self.assertEqual(sheet["audits"]["outside"], ["2026-12-01T060000Z.json"])
        self.assertEqual(len(sheet["audits"]["unread"]), 1)

    def test_what_is_not_counted_is_listed_with_the_reason(self):
        sheet = packages.read(packages.package("soc2"), "sheet.json")
        reasons = {entry["path"]: entry["reason"] for entry in sheet["records"]["notCounted"]}
        self.assertEqual(set(reasons), {
            "records/changed.json", "records/late.json", "records/undated.json"})
        self.assertEqual(reasons["records/undated.json"], "without a time")
        self.assertEqual(reasons["records/changed.json"], "of a changed tree")

    def test_pages_hold_no_markup_of_records_and_load_nothing(self):
        class Tags(html.parser.HTMLParser):
            def __init__(self):
                super().__init__()
                self.seen = set()

            def handle_starttag(self, tag, attrs):
                self.seen.add(tag)
                names = {name for name, _ in attrs}
                assert not names & {"src", "href", "onerror", "onload"}, names

        for use in packages.USES:
            with open(os.path.join(packages.package(use), "sheet.html"), encoding="utf-8") as file:
                text = file.read()
            tags = Tags()
            tags.feed(text)
            self.assertLessEqual(tags.seen, {
                "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "ul", "li",
                "table", "tr", "th", "td"})
            self.assertIn("Office &lt;of&gt; data", text)
