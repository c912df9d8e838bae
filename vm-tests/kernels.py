#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches the pinned Debian kernels of kernels.json into a cache outside the checkout.

The mirror is the one this machine's apt is configured with. apt keeps its state in a private
directory of the cache, so nothing is installed and /etc/apt is only read. When the mirror no
longer has a pinned version, the newest package of the same series is taken and reported.
"""
import argparse
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class KernelError(Exception):
    """A kernel could not be had; the text says which, why and what to do."""


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "cloudtaser", "kernels")


def pins():
    with open(os.path.join(HERE, "kernels.json"), encoding="utf-8") as file:
        return json.load(file)["kernels"]


def configured_mirror():
    """The first http(s) URI in apt's configuration that ends in /debian."""
    paths = ["/etc/apt/sources.list"]
    paths += sorted(glob.glob("/etc/apt/sources.list.d/*.list"))
    paths += sorted(glob.glob("/etc/apt/sources.list.d/*.sources"))
    for path in paths:
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.lstrip().startswith("#"):
                    continue
                found = re.search(r"https?://\S+/debian/?(?=\s|$)", line)
                if found:
                    return found.group(0).rstrip("/")
    raise KernelError("no Debian mirror in /etc/apt: add one, or put kernels into the cache")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def run(arguments, directory=None):
    result = subprocess.run(
        arguments, cwd=directory, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise KernelError(f"{' '.join(arguments[:1] + arguments[-2:])}: {result.stderr.strip()}")
    return result.stdout


class PrivateApt:
    """apt with its own sources and state, for the suites of one kernel series."""

    def __init__(self, pin, root):
        self.root = root
        for part in ("lists/partial", "cache/archives/partial", "state"):
            os.makedirs(os.path.join(root, part), exist_ok=True)
        sources = os.path.join(root, "sources.list")
        mirror = configured_mirror()
        with open(sources, "w", encoding="utf-8") as file:
            for suite in pin["suites"]:
                base = mirror + "-security" if suite.endswith("-security") else mirror
                file.write(f"deb [signed-by={KEYRING} arch=amd64] {base} {suite} main\n")
        self.options = [
            "-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null",
            "-o", f"Dir::State={root}/state", "-o", f"Dir::State::Lists={root}/lists",
            "-o", "Dir::State::status=/var/lib/dpkg/status",
            "-o", f"Dir::Cache={root}/cache", "-o", "APT::Sandbox::User=root",
            "-o", "APT::Architecture=amd64", "-o", "Acquire::Languages=none",
        ]
        # A suite that has left the mirror is not fatal: the other suite may still have it.
        subprocess.run(["apt-get", *self.options, "-qq", "update"], capture_output=True,
                       check=False)

    def candidates(self, pin):
        """(package, version, sha256) of every package of the series, newest last."""
        listing = run(["apt-cache", *self.options, "dumpavail"])
        found = []
        for stanza in listing.split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version|SHA256): (.+)$", stanza, re.M))
            if re.fullmatch(pin["packagePattern"], fields.get("Package", "")):
                found.append((fields["Package"], fields["Version"], fields.get("SHA256", "")))
        return sorted(found, key=lambda entry: version_key(entry[1] + entry[0]))

    def download(self, package, version, directory):
        run(["apt-get", *self.options, "-qq", "download", f"{package}={version}"], directory)


def version_key(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def unpack(deb, pin, directory):
    """Extracts the kernel image; its path follows the package's own version."""
    tree = os.path.join(directory, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    run(["dpkg-deb", "-x", deb, tree])
    images = glob.glob(os.path.join(tree, "boot", "vmlinuz-*"))
    images += glob.glob(os.path.join(tree, "usr", "lib", "modules", "*", "vmlinuz"))
    if len(images) != 1:
        raise KernelError(f"{os.path.basename(deb)} of series {pin['series']}: "
                          f"{len(images)} kernel images in it, expected 1")
    os.replace(images[0], os.path.join(directory, "vmlinuz"))
    shutil.rmtree(tree)


def cached(pin, directory):
    """The record of a kernel already in the cache, when its image is intact."""
    try:
        with open(os.path.join(directory, "record.json"), encoding="utf-8") as file:
            record = json.load(file)
        if sha256(os.path.join(directory, "vmlinuz")) == record["imageSha256"]:
            return record
    except (OSError, ValueError, KeyError):
        pass
    return None


def fetch(pin, say, cache=None):
    """Returns {series, package, version, pinned, note, vmlinuz}; downloads when needed."""
    directory = os.path.join(cache or cache_directory(), pin["series"])
    record = cached(pin, directory)
    if record is None or record["packageSha256"] != pin["sha256"]:
        record = download(pin, directory, record, say)
    pinned = record["packageSha256"] == pin["sha256"]
    note = "" if pinned else (
        f"kernel {pin['series']}: pinned {pin['package']} {pin['version']} is not to be had, "
        f"using {record['package']} {record['version']}")
    if note:
        say(note)
    return {"series": pin["series"], "package": record["package"], "pinned": pinned,
            "version": record["version"], "note": note,
            "vmlinuz": os.path.join(directory, "vmlinuz")}


def download(pin, directory, previous, say):
    os.makedirs(directory, exist_ok=True)
    say(f"kernel {pin['series']}: reading the package index")
    apt = PrivateApt(pin, os.path.join(directory, "apt"))
    entries = apt.candidates(pin)
    wanted = [entry for entry in entries
              if (entry[0], entry[1]) == (pin["package"], pin["version"])]
    chosen = (wanted or entries[-1:])
    if not chosen:
        if previous:
            return previous
        raise KernelError(
            f"kernel {pin['series']}: the mirror has no package of this series in "
            f"{', '.join(pin['suites'])}; change vm-tests/kernels.json or copy a cache")
    package, version, index_hash = chosen[0]
    expected = pin["sha256"] if wanted else index_hash
    if previous and previous["packageSha256"] == expected:
        return previous
    say(f"kernel {pin['series']}: downloading {package} {version}")
    for stale in glob.glob(os.path.join(directory, "*.deb")):
        os.remove(stale)
    apt.download(package, version, directory)
    deb = glob.glob(os.path.join(directory, "*.deb"))[0]
    found = sha256(deb)
    if found != expected:
        os.remove(deb)
        raise KernelError(f"{package} {version}: sha256 is {found}, expected {expected}")
    unpack(deb, pin, directory)
    os.remove(deb)
    shutil.rmtree(os.path.join(directory, "apt"), ignore_errors=True)
    record = {"package": package, "version": version, "packageSha256": found,
              "imageSha256": sha256(os.path.join(directory, "vmlinuz"))}
    with open(os.path.join(directory, "record.json"), "w", encoding="utf-8") as file:
        json.dump(record, file, indent=2, sort_keys=True)
    return record


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--cache", default=cache_directory(), help="where kernels are kept")
    options = parser.parse_args()
    for pin in pins():
        kernel = fetch(pin, lambda line: print(line, flush=True),
                       options.cache)
        print(f"{kernel['series']}: {kernel['package']} {kernel['version']} "
              f"{kernel['vmlinuz']}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KernelError as error:
        sys.exit(f"kernels.py: {error}")
