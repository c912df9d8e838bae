# SPDX-License-Identifier: Apache-2.0
"""Packs an initramfs: a newc cpio archive (kernel: Documentation/driver-api/early-userspace/
buffer-format.rst), compressed with gzip. No cpio program, no root."""
import gzip
import os

DIRECTORIES = ["bin", "dev", "etc", "proc", "sys", "tmp", "root"]
DIRECTORY_MODE = 0o040755
PROGRAM_MODE = 0o100755
FILE_MODE = 0o100644


def entry(name, mode, content, inode):
    fields = [inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    head = header + name.encode() + b"\0"
    head += b"\0" * (-len(head) % 4)
    return head + content + b"\0" * (-len(content) % 4)


def initramfs(programs, path, files=None, effort=1):
    """Writes `programs` (name in the guest: path here) and `files` (name: bytes). Its size.

    `effort` is gzip's level; 0 stores, which a guest reads with the fewest instructions.
    """
    inode = 1
    with gzip.GzipFile(path, "wb", compresslevel=effort, mtime=0) as archive:
        for name in DIRECTORIES:
            archive.write(entry(name, DIRECTORY_MODE, b"", inode))
            inode += 1
        for name, source in sorted(programs.items()):
            with open(source, "rb") as file:
                archive.write(entry(name, PROGRAM_MODE, file.read(), inode))
            inode += 1
        for name, content in sorted((files or {}).items()):
            archive.write(entry(name, FILE_MODE, content, inode))
            inode += 1
        archive.write(entry("TRAILER!!!", 0, b"", 0))
    return os.path.getsize(path)
