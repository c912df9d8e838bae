# SPDX-License-Identifier: Apache-2.0
"""Becomes a container's process: called inside a mount namespace of its own, with a JSON object.

root: its image's files · mounts: [{source, target, readOnly}] · argv, environment · user
"""
import ctypes
import json
import os
import sys

BIND, REMOUNT, READ_ONLY, RECURSIVE, PRIVATE = 4096, 32, 1, 16384, 1 << 18
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source, target, flags):
    if LIBC.mount(source.encode(), target.encode(), None, flags, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} at {target}: {os.strerror(number)}")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        wanted = json.load(file)
    root = wanted["root"]
    for one in wanted["mounts"]:
        target = root + one["target"]
        os.makedirs(target, exist_ok=True)
        mount(one["source"], target, BIND)
        if one["readOnly"]:
            mount(one["source"], target, BIND | REMOUNT | READ_ONLY)
    for folder in "/proc", "/dev":
        os.makedirs(root + folder, exist_ok=True)
        mount(folder, root + folder, BIND | RECURSIVE)
    os.chroot(root)
    os.chdir("/")
    if wanted["user"] is not None:
        os.setgroups([])
        os.setgid(wanted["user"])
        os.setuid(wanted["user"])
    os.execve(wanted["argv"][0], wanted["argv"], wanted["environment"])


if __name__ == "__main__":
    main()
