# SPDX-License-Identifier: Apache-2.0
"""The boots of LIM-KDUMP-01: a kernel that panics, and a second one that reads its memory.

The crash kernel is the same file as the kernel that it follows. It and its small initramfs lie in the
first kernel's initramfs, so that these guests have an image of their own.
"""
import os

from guest_image import initramfs

SUITE = "kdump"
TEST = "LIM-KDUMP-01"
# Kept back for the crash kernel: kernel and initramfs as files, and unpacked.
RESERVED_MIB = 128
# The kernel that panics holds the crash kernel's files besides its own.
MEMORY_MIB = 384
# A run boots the first; the others are booted by their name (`run.py --only 7.2-kdump`).
REGULAR = "6.12"
BOOTS = [
    {"name": f"{series}-{SUITE}", "series": series, "suites": SUITE, "memory": MEMORY_MIB,
     "parameters": [*words, f"crashkernel={RESERVED_MIB}M"],
     "regular": series == REGULAR}
    for series, words in (("6.1", ["secretmem.enable=1"]), ("6.12", []), ("7.2", []))
]


def crashes(boot):
    """Whether it is a guest that ends in a crash kernel."""
    return SUITE in boot["suites"].split(",")


def image(kernel, init, agent, folder):
    """Path of the initramfs for a guest of this kernel with these two programs."""
    path = os.path.join(folder, f"initramfs-{SUITE}-{kernel['version']}.gz")
    inner = path + ".inner"
    # Compressed: its hash is computed twice, by the kernel that loads it and after the panic.
    initramfs({"init": init}, inner)
    initramfs({"init": init, "bin/cloudtaser-agent": agent,
               "crash/vmlinuz": kernel["vmlinuz"], "crash/initramfs.gz": inner}, path, effort=0)
    return path
