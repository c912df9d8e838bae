# SPDX-License-Identifier: Apache-2.0
"""deploy/release/dependencies.json: which packages at which revisions a release is built of, and what goes into which
program.

Package.resolved is not in the repository, so that whoever builds meets new versions early. A release is built of these.
"""
import json
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATH = os.path.join(ROOT, "deploy", "release", "dependencies.json")
PROGRAMS = ["cloudtaser", "cloudtaser-agent", "cloudtaser-operator", "cloudtaser-s3-proxy", "cloudtaser-wrapper"]
# Linked with everything inside, the C library too (STATIC_PROGRAMS of the Makefile).
STATIC = ["cloudtaser-agent", "cloudtaser-wrapper"]
# By target of Package.swift, the Debian packages whose archives a static program gets by it.
ARCHIVES = {
    "COpenSSL": ["libssl-dev"], "CSeccomp": ["libseccomp-dev"], "CCapability": ["libcap-dev"],
    "CBPF": ["libbpf-dev", "libelf-dev", "zlib1g-dev"]}
RUN_TIME = ["libc6-dev", "libgcc-12-dev", "libstdc++-12-dev"]
# By /usr/share/doc/PACKAGE/copyright.
DEBIAN_LICENCES = {
    "libbpf-dev": "LGPL-2.1-only OR BSD-2-Clause", "libc6-dev": "LGPL-2.1-or-later",
    "libcap-dev": "BSD-3-Clause OR GPL-2.0-only", "libelf-dev": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "libgcc-12-dev": "GPL-3.0-or-later WITH GCC-exception-3.1", "libseccomp-dev": "LGPL-2.1-only",
    "libssl-dev": "Apache-2.0", "libstdc++-12-dev": "GPL-3.0-or-later WITH GCC-exception-3.1", "zlib1g-dev": "Zlib"}
# Sources of others inside packages: the folder, what it is, its licence, and where its version stands.
BUNDLED = [
    ("swift-crypto", "Sources/CCryptoBoringSSL", "BoringSSL", "Apache-2.0 AND ISC AND MIT", ("hash.txt", r"revision (\w+)")),
    ("swift-crypto", "Sources/CXKCP", "XKCP", "CC0-1.0", None),
    ("swift-nio-ssl", "Sources/CNIOBoringSSL", "BoringSSL", "Apache-2.0 AND ISC AND MIT", ("hash.txt", r"revision (\w+)")),
    ("swift-nio", "Sources/CNIOLLHTTP", "llhttp", "MIT",
     ("include/c_nio_llhttp.h", r"VERSION_MAJOR (\d+)\s+#define \w+MINOR (\d+)\s+#define \w+PATCH (\d+)")),
    ("swift-nio", "Sources/CNIOSHA1", "KAME SHA-1", "BSD-3-Clause", None),
    ("yams", "Sources/CYaml", "libyaml", "MIT", None)]


class Problem(Exception):
    """Something that has to be mended, and how."""


def licence(folder):
    """SPDX identifier of a package's licence, by its text."""
    for name in "LICENSE", "LICENSE.txt", "LICENSE.md":
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                text = " ".join(file.read().split())
            if "Apache License Version 2.0" in text:
                return "Apache-2.0 WITH Swift-exception" if "Runtime Library Exception" in text else "Apache-2.0"
            if "Permission is hereby granted, free of charge" in text and "MIT" in text[:40]:
                return "MIT"
            raise Problem(f"{path}: a licence that is not known here: read it, and add it to lock.py")
    raise Problem(f"{folder} has no licence: do not link it")


def bundled(identity, folder):
    for owner, place, name, spdx, version in BUNDLED:
        if owner != identity:
            continue
        found = {"name": name, "licence": spdx}
        if not os.path.isdir(os.path.join(folder, place)):
            raise Problem(f"{identity} has no {place} any more: mend BUNDLED of lock.py")
        if version:
            with open(os.path.join(folder, place, version[0]), encoding="utf-8") as file:
                match = re.search(version[1], file.read())
            if not match:
                raise Problem(f"{folder}/{place}/{version[0]} says no version: mend BUNDLED of lock.py")
            found["version"] = ".".join(match.groups())
        yield found


def edges(shown):
    """Which package depends on which, of `swift package show-dependencies --format json`: identity to identities."""
    found = {}
    waiting = list(shown["dependencies"])
    while waiting:
        one = waiting.pop()
        found.setdefault(one["identity"], set()).update(child["identity"] for child in one["dependencies"])
        waiting += one["dependencies"]
    return found


def closure(graph, starts):
    found, waiting = set(), list(starts)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += graph.get(one, ())
    return found


def targets(dump):
    """Of `swift package dump-package`: target to targets, and target to identities of packages."""
    own, packages = {}, {}
    for target in dump["targets"]:
        own[target["name"]], packages[target["name"]] = set(), set()
        for dependency in target["dependencies"]:
            for kind, words in dependency.items():
                if kind == "product":
                    packages[target["name"]].add(words[1].lower())
                else:
                    own[target["name"]].add(words[0])
    return own, packages


def locked(resolved, shown, dump, checkouts):
    """The lock as it should be now."""
    graph = edges(shown)
    versions = {}
    waiting = list(shown["dependencies"])
    while waiting:
        one = waiting.pop()
        versions[one["identity"]] = one["version"]
        waiting += one["dependencies"]
    own, of_target = targets(dump)
    programs = {}
    for name in PROGRAMS:
        if name not in own:
            raise Problem(f"Package.swift has no target {name}: mend PROGRAMS of lock.py")
        inside = closure(own, [name])
        direct = set().union(*(of_target.get(one, set()) for one in inside))
        archives = set().union(*(ARCHIVES.get(one, []) for one in inside)) | set(RUN_TIME)
        programs[name] = {
            "packages": sorted(closure(graph, direct)), "archives": sorted(archives) if name in STATIC else []}
    used = set().union(*(one["packages"] for one in programs.values()))
    packages = []
    for pin in sorted(resolved["pins"], key=lambda pin: pin["identity"]):
        identity, state = pin["identity"], pin["state"]
        if "version" not in state:
            raise Problem(f"{identity} is not of a version: a release is built of released packages")
        if versions.get(identity, state["version"]) != state["version"]:
            raise Problem(f"{identity}: {versions[identity]} is checked out, Package.resolved says {state['version']}")
        folder = os.path.join(checkouts, os.path.basename(pin["location"]).removesuffix(".git"))
        packages.append({
            "identity": identity, "location": pin["location"], "version": state["version"],
            "revision": state["revision"], "licence": licence(folder), "linked": identity in used,
            "dependsOn": sorted(graph.get(identity, ())), "bundles": list(bundled(identity, folder))})
    unknown = used - {one["identity"] for one in packages}
    if unknown:
        raise Problem(f"not in Package.resolved: {', '.join(sorted(unknown))}")
    return {"packages": packages, "programs": programs}


def text(lock):
    return json.dumps(lock, indent=1, sort_keys=True) + "\n"


def read(path=PATH):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def differences(old, new):
    """What to tell of two locks, a line each."""
    before = {one["identity"]: one for one in old["packages"]}
    after = {one["identity"]: one for one in new["packages"]}
    for identity in sorted(set(before) | set(after)):
        if before.get(identity) == after.get(identity):
            continue
        words = [f"{one['version']} ({one['revision'][:12]})" if one else "not there"
                 for one in (before.get(identity), after.get(identity))]
        yield f"{identity}: {words[0]} is locked, {words[1]} is here"
    for name in sorted(set(old["programs"]) | set(new["programs"])):
        if old["programs"].get(name) != new["programs"].get(name):
            yield f"{name}: what is linked into it has changed"


def resolved(lock):
    """Package.resolved of the lock. SwiftPM's hash of Package.swift is left out: it changes with every target."""
    return {"pins": [
        {"identity": one["identity"], "kind": "remoteSourceControl", "location": one["location"],
         "state": {"revision": one["revision"], "version": one["version"]}} for one in lock["packages"]], "version": 3}
