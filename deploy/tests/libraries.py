# SPDX-License-Identifier: Apache-2.0
"""What a program is linked with, and what its image has."""
import functools
import re
import subprocess

from test_images import instructions

# Of what debian:bookworm-slim has (essential and required packages, apt, and what these depend on). OpenSSL is none.
BASE = {"libc6", "libgcc-s1", "libstdc++6", "zlib1g"}


@functools.cache
def libraries(program):
    """All that the program is linked with, and what these are linked with: the package of each by its name.
    None: of no package of Debian's."""
    run = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    # A build for tests has Swift's run-time beside it; that of the image has it inside.
    found = {name: path for name, path in re.findall(r"(?m)^\s*(\S+) => (/\S+) \(", run.stdout)
             if "/lib/swift/" not in path}
    # What Debian has moved to /usr is still named as before. It ends with 1 when one of these is not known.
    places = [place for path in found.values() for place in (path, f"/usr{path}")]
    run = subprocess.run(["dpkg-query", "--search", *places], capture_output=True, text=True, check=False)
    owners = {path: owner.split(":")[0] for owner, path in re.findall(r"(?m)^(\S+): (/\S+)$", run.stdout)}
    return {name: owners.get(path, owners.get(f"/usr{path}")) for name, path in found.items()}


def installed(text):
    """Packages that the only RUN of an image's file brings."""
    runs = [rest for instruction, rest in instructions(text) if instruction == "RUN"]
    assert len(runs) == 1, runs
    words = re.search(r"apt-get install --yes --no-install-recommends ([a-z0-9 .+-]+?) *&&", runs[0])
    return set(words.group(1).split())


def brought(package):
    """What a package depends on, and what that does."""
    found, waiting = set(), [package]
    while waiting:
        run = subprocess.run(
            ["dpkg-query", "--show", "--showformat=${Depends}", waiting.pop()], capture_output=True, text=True, check=False)
        for name in re.findall(r"(?:^|[,|]) *([a-z0-9.+-]+)", run.stdout):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def missing(program, text):
    """Libraries that neither the base has nor a library that the image's file names brings. What a package of data brings
    does not count: a library is to be named."""
    named = installed(text)
    there = BASE | named
    for package in named:
        if package.startswith("lib"):
            there |= brought(package)
    return {name: package for name, package in libraries(program).items() if package not in there}
