# SPDX-License-Identifier: Apache-2.0
"""Inputs for packages, and the packages that the tests share. Nothing is written into the tree."""
import atexit
import functools
import json
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CATALOGUE = os.path.join(ROOT, "Fixtures", "compliance")
USES = {"ropa": "GDPR", "nis2": "NIS2", "dora": "DORA", "soa": "ISO27001", "soc2": "SOC2"}
COMMIT = "89ff3cb1c0ffee1c0ffee1c0ffee1c0ffee1c0ff"
PERIOD = ["--from", "2026-11-01", "--to", "2026-11-30"]
PROGRAM = ""
OPENBAO = ""


def run(*words, **options):
    return subprocess.run([PROGRAM, *words], cwd=ROOT, capture_output=True, text=True,
                          check=False, **options)


@functools.cache
def place():
    """A folder that goes when the run ends."""
    path = tempfile.mkdtemp(prefix="cloudtaser-evidence-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


def write(value, *path):
    name = os.path.join(*path)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
    return name


def record(identifier, started, **changes):
    return {"id": identifier, "result": "pass", "kernel": "6.12.107", "started": started,
            "positiveControl": {"description": "a control | <b>", "result": "pass"},
            "observation": "seen <script>alert(1)</script>", "commit": COMMIT, "dirty": False,
            **changes}


@functools.cache
def inputs():
    """Folders of records and audits and a manual file, as options of `evidence package`."""
    records, audits = os.path.join(place(), "records"), os.path.join(place(), "audits")
    tests = read(CATALOGUE, "tests.json")
    for day in ("2026-11-02", "2026-11-20"):
        for test in tests:
            write(record(test["id"], f"{day}T08:00:00Z"), records, day,
                  f"{test['id']}@6.12.107.json")
    first = tests[0]["id"]
    write(record(first, "2026-11-21T08:00:00Z", dirty=True), records, "changed.json")
    write(record(first, "2026-12-24T08:00:00Z"), records, "late.json")
    undated = record(first, "")
    del undated["started"]
    write(undated, records, "undated.json")
    population = {"protected": 3, "unprotected": 2, "excluded": 1, "unreadable": 0, "total": 6}
    for day in [*range(1, 7), *range(9, 31), 31]:
        date = f"2026-11-{day:02}" if day <= 30 else "2026-12-01"
        write({"apiVersion": "cloudtaser.io/v1alpha1", "kind": "Audit", "containers": population,
               "findings": [{"id": "CT-D01", "severity": "high"}]}, audits,
              f"{date}T060000Z.json")
    write({"kind": "Audit"}, audits, "2026-11-07T060000Z.json")
    return ["--records", records, "--audits", audits]


def manual(slot):
    """A manual file that fills `slot`, with its attachment."""
    folder = os.path.join(place(), "manual", slot)
    name = write({"apiVersion": "cloudtaser.io/v1alpha1", "kind": "ManualEvidence", "items": [
        {"slot": slot, "owner": "Office <of> data", "date": "2026-11-20",
         "statement": "See sheet 3", "file": "sheet.txt"}]}, folder, "manual.json")
    with open(os.path.join(folder, "sheet.txt"), "w", encoding="utf-8") as file:
        file.write("sheet 3\n")
    return name


SLOTS = {"ropa": "ropa-retention", "nis2": "nis2-approval", "dora": "dora-register",
         "soa": "soa-exclusions", "soc2": "soc2-system"}


@functools.cache
def keys(kind):
    folder = os.path.join(place(), "keys", kind)
    made = run("evidence", "keygen", "--kind", kind, "--out", folder)
    assert made.returncode == 0, made.stderr
    return (os.path.join(folder, "evidence-key.pem"), os.path.join(folder, "evidence-key.pub.pem"))


def package(use, kind="ed25519"):
    """A signed package, made once; tests change copies."""
    return _package(use, kind)


@functools.cache
def _package(use, kind):
    out = os.path.join(place(), "packages", f"{use}-{kind}")
    made = run("evidence", "package", "--for", use, *PERIOD, *inputs(), "--manual",
               manual(SLOTS[use]), "--scenario", "SC-3", "--declared-by", "Office <of> data",
               "--out", out, "--sign", "--key", keys(kind)[0])
    # Slots are open and records not counted: the package is made, and not all could be looked at.
    assert made.returncode == 4, made.stderr
    return out


def copy(folder):
    target = tempfile.mkdtemp(dir=place())
    return shutil.copytree(folder, os.path.join(target, "package"))


def files(folder):
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def verify(folder, kind="ed25519"):
    return run("evidence", "verify", folder, "--public-key", keys(kind)[1])
