#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What makes a release of built programs, and checks one.

Usage: release.py lock [--check]      writes dependencies.json from what is resolved here, or compares
       release.py pin                 writes Package.resolved from dependencies.json
       release.py collect FROM TO     copies the programs of the folder FROM to TO, with their parts and checksums
       release.py check FOLDER        verifies a release: nothing but what its list names, each file as it was

`collect` and `check` need the validator of .ci/fetch-release-tools.
"""
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys

import lock as locks
import sbom
from lock import Problem

SUMS = "SHA256SUMS"
PARTS = "cloudtaser.cdx.json"
LOCK = "dependencies.json"
CHART = os.path.join(locks.ROOT, "deploy", "helm", "cloudtaser", "Chart.yaml")


def output(*command):
    run = subprocess.run(command, cwd=locks.ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Problem(f"{' '.join(command)}: {run.stderr.strip() or run.returncode}")
    return run.stdout


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def interpreter(path):
    """Whether an x86-64 program asks for a dynamic linker. Raises for what is none (elf(5))."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", head, 18)[0] != 62:
            raise Problem(f"{path} is no program for x86-64")
        place, = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(place)
        table = file.read(size * count)
    # PT_INTERP
    return any(struct.unpack_from("<I", table, index * size)[0] == 3 for index in range(count))


def facts(archives):
    with open(CHART, encoding="utf-8") as file:
        version = re.search(r"(?m)^appVersion: \"?([^\s\"]+)", file.read()).group(1)
    with open("/etc/os-release", encoding="utf-8") as file:
        system = dict(re.findall(r'(?m)^(\w+)="?([^"\n]*)"?$', file.read()))
    versions = {}
    for name in archives:
        versions[name] = output("dpkg-query", "--show", "--showformat=${Version}", name).strip()
    return {
        "version": version, "commit": output("git", "rev-parse", "HEAD").strip(),
        "time": output("git", "log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ").strip(),
        "swift": re.search(r"Swift version (\S+)", output("swift", "--version")).group(1),
        "archives": versions, "distribution": f"{system['ID']}-{system['VERSION_ID']}"}


def names(text):
    """Of a list of checksums as `sha256sum` writes it: hash by name. Raises for what is none."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.fullmatch(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]*)", line)
        if not match:
            raise Problem(f"{SUMS}:{number} is no line of sha256sum with a plain name")
        if match.group(2) in found:
            raise Problem(f"{SUMS}:{number} names {match.group(2)} twice")
        found[match.group(2)] = match.group(1)
    return found


def collect(source, target, lock, known):
    """Fills the folder `target`, which must not hold anything. known: what `facts` says."""
    if os.path.isdir(target) and os.listdir(target):
        raise Problem(f"{target} is not empty: remove it, so that nothing old is released")
    os.makedirs(target, exist_ok=True)
    hashes = {}
    for name in locks.PROGRAMS:
        place = os.path.join(source, name)
        if not os.path.exists(place):
            raise Problem(f"{place} is not there: make build")
        if interpreter(place) == (name in locks.STATIC):
            raise Problem(f"{place} is {'not ' if name in locks.STATIC else ''}static, against STATIC of lock.py")
        shutil.copyfile(place, os.path.join(target, name))
        os.chmod(os.path.join(target, name), 0o755)
        hashes[name] = sha256(os.path.join(target, name))
    with open(os.path.join(target, PARTS), "w", encoding="utf-8") as file:
        file.write(json.dumps(sbom.document(lock, hashes, known), indent=1, sort_keys=True) + "\n")
    with open(os.path.join(target, LOCK), "w", encoding="utf-8") as file:
        file.write(locks.text(lock))
    shutil.copyfile(os.path.join(locks.ROOT, "LICENSE"), os.path.join(target, "LICENSE"))
    with open(os.path.join(target, SUMS), "w", encoding="utf-8") as file:
        for name in sorted(set(os.listdir(target)) - {SUMS}):
            file.write(f"{sha256(os.path.join(target, name))}  {name}\n")


def complaints(folder):
    """Everything that is wrong with a release."""
    try:
        with open(os.path.join(folder, SUMS), encoding="utf-8") as file:
            wanted = names(file.read())
    except FileNotFoundError:
        raise Problem(f"{folder} has no {SUMS}: it is no release") from None
    there = set(os.listdir(folder)) - {SUMS}
    for name in sorted(set(wanted) | there):
        path = os.path.join(folder, name)
        if name not in wanted:
            yield f"{name} is there, and not in {SUMS}"
        elif name not in there:
            yield f"{name} is in {SUMS}, and not there"
        elif os.path.islink(path) or not os.path.isfile(path):
            yield f"{name} is no file"
        elif sha256(path) != wanted[name]:
            yield f"{name} was changed"
    for name in sorted(set([PARTS, LOCK, "LICENSE", *locks.PROGRAMS]) - set(wanted)):
        yield f"{name} is missing in {SUMS}"
    if not {PARTS, LOCK} <= there:
        return
    with open(os.path.join(folder, PARTS), encoding="utf-8") as file:
        text = file.read()
    violations = sbom.violations(text)
    yield from (f"{PARTS}: {one}" for one in violations)
    if not violations:
        hashes = {name: sha256(os.path.join(folder, name)) for name in locks.PROGRAMS if name in there}
        lock = locks.read(os.path.join(folder, LOCK))
        yield from (f"{PARTS}: {one}" for one in sbom.complaints(json.loads(text), lock, hashes))


def resolve():
    """The lock as it should be of what is resolved here."""
    shown = json.loads(output("swift", "package", "show-dependencies", "--format", "json"))
    dump = json.loads(output("swift", "package", "dump-package"))
    return locks.locked(
        locks.read(os.path.join(locks.ROOT, "Package.resolved")), shown, dump,
        os.path.join(locks.ROOT, ".build", "checkouts"))


def command_lock(arguments):
    now = resolve()
    if arguments == ["--check"]:
        wrong = list(locks.differences(locks.read(), now))
        for line in wrong:
            print(f"dependencies.json: {line}")
        return 1 if wrong else 0
    with open(locks.PATH, "w", encoding="utf-8") as file:
        file.write(locks.text(now))
    return 0


def command_pin(_):
    with open(os.path.join(locks.ROOT, "Package.resolved"), "w", encoding="utf-8") as file:
        file.write(json.dumps(locks.resolved(locks.read()), indent=2, sort_keys=True) + "\n")
    return 0


def command_collect(arguments):
    source, target = arguments
    if output("git", "status", "--porcelain"):
        raise Problem("the tree has changes that are in no commit: a release is of one")
    lock = locks.read()
    archives = sorted({one for program in lock["programs"].values() for one in program["archives"]})
    collect(source, target, lock, facts(archives))
    return command_check([target])


def command_check(arguments):
    folder, = arguments
    wrong = list(complaints(folder))
    for line in wrong:
        print(f"{folder}: {line}")
    if not wrong:
        print(f"{folder}: whole")
    return 1 if wrong else 0


def main(arguments):
    commands = {
        "lock": command_lock, "pin": command_pin, "collect": command_collect, "check": command_check}
    counts = {"lock": (0, 1), "pin": (0,), "collect": (2,), "check": (1,)}
    if not arguments or arguments[0] not in commands or len(arguments) - 1 not in counts[arguments[0]]:
        print(__doc__, file=sys.stderr)
        return 2
    os.environ["TZ"] = "UTC"
    try:
        return commands[arguments[0]](arguments[1:])
    except Problem as problem:
        print(f"release: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
