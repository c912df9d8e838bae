# SPDX-License-Identifier: Apache-2.0
"""Packs an initramfs: a newc cpio archive (kernel: Documentation/driver-api/early-userspace/
buffer-format.rst), compressed with gzip. No cpio program, no root."""
import gzip
import os

DIRECTORIES = ["bin", "dev", "etc", "proc", "sys", "tmp", "root"]
DIRECTORY_MODE = 0o040755
PROGRAM_MODE = 0o100755
FILE_MODE = 0o100644
LINK_MODE = 0o120777


def entry(name, mode, content, inode):
    fields = [inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    head = header + name.encode() + b"\0"
    head += b"\0" * (-len(head) % 4)
    return head + content + b"\0" * (-len(content) % 4)


def above(names):
    """Folders that the names are in, each after the one that it is in."""
    folders = set(DIRECTORIES)
    for name in names:
        while os.path.dirname(name):
            name = os.path.dirname(name)
            folders.add(name)
    return sorted(folders)


def initramfs(programs, path, links=None, effort=1):
    """Writes `programs` (name in the guest: path here) and `links` (name: target). Its size.

    `effort` is gzip's level; 0 stores, which a guest reads with the fewest instructions.
    """
    links = links or {}
    parts = [(name, DIRECTORY_MODE, None) for name in above([*programs, *links])]
    parts += [(name, LINK_MODE, target) for name, target in sorted(links.items())]
    parts += [(name, 0, source) for name, source in sorted(programs.items())]
    with gzip.GzipFile(path, "wb", compresslevel=effort, mtime=0) as archive:
        for inode, (name, mode, what) in enumerate(parts, start=1):
            content = (what or "").encode()
            if mode == 0:
                mode = PROGRAM_MODE if os.access(what, os.X_OK) else FILE_MODE
                with open(what, "rb") as file:
                    content = file.read()
            archive.write(entry(name, mode, content, inode))
        archive.write(entry("TRAILER!!!", 0, b"", 0))
    return os.path.getsize(path)
