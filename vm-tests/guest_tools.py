# SPDX-License-Identifier: Apache-2.0
"""A small Debian inside the guest: real programs with the libraries they link, and the scripts of
Tests/Programs/neighbours that use them. Everything is under /tools, for chroot(2).

The programs are this machine's own packages (.ci/setup vm installs them). Headers are those that
the small C project includes, as the compiler itself tells.
"""
import glob
import os
import re
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(os.path.dirname(HERE), "Tests", "Programs", "neighbours")
ROOT = "tools"
PROGRAMS = ["tcc", "make", "ps", "top", "strace", "tc", "ip", "bpftool", "crun", "nsenter",
            "unshare", "modprobe", "dash", "busybox"]
# What the compiler links a program with, beside what it says itself.
LINKED = ["crt1.o", "crti.o", "crtn.o", "libc.so", "libc_nonshared.a", "ld-linux-x86-64.so.2",
          "tcc/libtcc1.a"]
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
# top asks for the second when it writes to no terminal.
TERMINALS = ["/lib/terminfo/l/linux", "/lib/terminfo/d/dumb"]
LOADER = "/lib64/ld-linux-x86-64.so.2"
# Debian's merged /usr.
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
MORE_LINKS = {"usr/bin/sh": "dash"}


class ToolsError(Exception):
    """Something to be put into the guest is missing; the text says what, and what to do."""


def found(name):
    for folder in ("/usr/bin", "/usr/sbin"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise ToolsError(f"{name} is not installed: .ci/setup vm")


def libraries(program):
    """Paths of the shared libraries that the loader takes for the program."""
    result = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"=> (/\S+)", result.stdout)


def headers():
    """What the project's sources include, and what those do."""
    sources = sorted(glob.glob(os.path.join(SCRIPTS, "project", "*.c")))
    paths = set()
    with tempfile.TemporaryDirectory(prefix="cloudtaser-headers-") as folder:
        for source in sources:
            # -MD leaves the system's headers out; this much talk names each file that is opened.
            told = subprocess.run(["tcc", "-vvv", "-c", "-o", os.path.join(folder, "o"), source],
                                  capture_output=True, text=True, check=True)
            paths.update(re.findall(r"-> +(/usr/\S+\.h)", told.stdout + told.stderr))
    if not paths:
        raise ToolsError("tcc named no header of the project's: vm-tests/guest_tools.py reads -vvv")
    return paths


def merged(path):
    """The path with Debian's links for /bin and the like resolved, relative to the root."""
    path = path.lstrip("/")
    first, _, rest = path.partition("/")
    return f"{LINKS[first]}/{rest}" if first in LINKS else path


def tools(modules, objects):
    """(files, links) for guest_image.initramfs: guest path to path here, guest path to target.

    `modules` are the folders lib/modules/RELEASE of kernels, `objects` the compiled BPF programs.
    """
    files = {}
    for name in PROGRAMS:
        program = found(name)
        files[merged(program)] = os.path.realpath(program)
        for library in libraries(program):
            files[merged(library)] = os.path.realpath(library)
    for path in [LOADER, *TERMINALS, *(f"{LIBRARIES}/{name}" for name in LINKED), *headers()]:
        files[merged(path)] = os.path.realpath(path)
    for path in glob.glob(f"{SCRIPTS}/**", recursive=True):
        if os.path.isfile(path):
            files["neighbours/" + os.path.relpath(path, SCRIPTS)] = path
    for path in objects:
        files["neighbours/" + os.path.basename(path)] = path
    for folder in modules:
        for path in glob.glob(f"{folder}/**", recursive=True):
            if os.path.isfile(path):
                files[f"usr/lib/modules/{os.path.basename(folder)}/"
                      + os.path.relpath(path, folder)] = path
    links = {f"{ROOT}/{name}": target for name, target in {**LINKS, **MORE_LINKS}.items()}
    return {f"{ROOT}/{name}": path for name, path in files.items()}, links
