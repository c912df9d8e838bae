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
# What the guest's neighbours load, and what that needs; in Debian's packages they are modules.
MODULES = ["nf_tables", "sch_ingress", "cls_bpf", "veth"]


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
        return self.matching(pin["packagePattern"])

    def matching(self, pattern):
        """(package, version, sha256) of every package with such a name, newest last."""
        listing = run(["apt-cache", *self.options, "dumpavail"])
        found = []
        for stanza in listing.split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version|SHA256): (.+)$", stanza, re.M))
            if re.fullmatch(pattern, fields.get("Package", "")):
                found.append((fields["Package"], fields["Version"], fields.get("SHA256", "")))
        return sorted(found, key=lambda entry: version_key(entry[1] + entry[0]))

    def download(self, package, version, directory):
        run(["apt-get", *self.options, "-qq", "download", f"{package}={version}"], directory)


def version_key(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def unpack(debs, pin, directory):
    """Extracts the kernel image and MODULES; their path follows the package's own version."""
    deb, tree = debs[0], os.path.join(directory, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    for part in debs:
        run(["dpkg-deb", "-x", part, tree])
    images = glob.glob(os.path.join(tree, "boot", "vmlinuz-*"))
    images += glob.glob(os.path.join(tree, "usr", "lib", "modules", "*", "vmlinuz"))
    if len(images) != 1:
        raise KernelError(f"{os.path.basename(deb)} of series {pin['series']}: "
                          f"{len(images)} kernel images in it, expected 1")
    os.replace(images[0], os.path.join(directory, "vmlinuz"))
    unpack_modules(tree, os.path.join(directory, "modules"))
    shutil.rmtree(tree)


def unpack_modules(tree, target):
    """Keeps MODULES and what they need in lib/modules/RELEASE of the target, with an index."""
    shutil.rmtree(target, ignore_errors=True)
    usr = os.path.join(tree, "usr", "lib", "modules")
    base = usr if os.path.isdir(usr) else os.path.join(tree, "lib", "modules")
    release = os.listdir(base)[0]
    # depmod wants lib/modules below its base.
    if base == usr:
        os.makedirs(os.path.join(tree, "lib"), exist_ok=True)
        os.replace(usr, os.path.join(tree, "lib", "modules"))
    run(["depmod", "-b", tree, release])
    source = os.path.join(tree, "lib", "modules", release)
    kept = os.path.join(target, "lib", "modules", release)
    with open(os.path.join(source, "modules.dep"), encoding="utf-8") as file:
        needs = dict(line.rstrip("\n").split(":") for line in file)
    paths = {path for path in needs if os.path.basename(path).split(".ko")[0] in MODULES}
    if len(paths) != len(MODULES):
        raise KernelError(f"{release}: of the modules {MODULES} the package has {sorted(paths)}")
    for path in sorted(paths.union(*(needs[path].split() for path in paths))):
        os.makedirs(os.path.dirname(os.path.join(kept, path)), exist_ok=True)
        shutil.copyfile(os.path.join(source, path), os.path.join(kept, path))
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        if os.path.exists(os.path.join(source, name)):
            shutil.copyfile(os.path.join(source, name), os.path.join(kept, name))
    run(["depmod", "-b", target, release])


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
    """Returns {series, package, version, pinned, note, vmlinuz, modules}; downloads when needed."""
    directory = os.path.join(cache or cache_directory(), pin["series"])
    record = cached(pin, directory)
    folders = glob.glob(os.path.join(directory, "modules", "lib", "modules", "*"))
    if record is None or record["packageSha256"] != pin["sha256"] or not folders:
        record = download(pin, directory, record, say)
    pinned = record["packageSha256"] == pin["sha256"]
    note = "" if pinned else (
        f"kernel {pin['series']}: pinned {pin['package']} {pin['version']} is not to be had, "
        f"using {record['package']} {record['version']}")
    if note:
        say(note)
    folders = glob.glob(os.path.join(directory, "modules", "lib", "modules", "*"))
    return {"series": pin["series"], "package": record["package"], "pinned": pinned,
            "version": record["version"], "note": note, "modules": folders,
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
    has_modules = os.path.isdir(os.path.join(directory, "modules"))
    if previous and previous["packageSha256"] == expected and has_modules:
        return previous
    for stale in glob.glob(os.path.join(directory, "*.deb")):
        os.remove(stale)
    names = [package]
    if "modulesPackagePattern" in pin:
        # Its hash is the signed index's: the modules have to be of the same version.
        names += [name for name, other, _ in apt.matching(pin["modulesPackagePattern"])
                  if other == version]
    debs = []
    for name in names:
        say(f"kernel {pin['series']}: downloading {name} {version}")
        apt.download(name, version, directory)
        debs += glob.glob(os.path.join(directory, f"{name}_*.deb"))
    found = sha256(debs[0])
    if found != expected:
        os.remove(debs[0])
        raise KernelError(f"{package} {version}: sha256 is {found}, expected {expected}")
    unpack(debs, pin, directory)
    for deb in debs:
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
