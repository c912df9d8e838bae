# SPDX-License-Identifier: Apache-2.0
"""Builds the module of LIM-KMOD-01 for the one kernel whose headers this machine's own Debian has.

A module fits one kernel and is built with that kernel's compiler: the headers of the other series
belong to other releases of Debian with other compilers.
"""
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SERIES = "6.1"
SUITE = "module"


def build(kernel, folder):
    """(path of the module, "") or (None, why there is none)."""
    release = kernel["package"].removeprefix("linux-image-")
    headers = f"/usr/src/linux-headers-{release}"
    if not os.path.isdir(headers):
        return None, (f"LIM-KMOD-01 is not run: {headers} is missing; "
                      f"apt-get install linux-headers-{release} (.ci/setup vm)")
    place = os.path.join(folder, "page-module")
    shutil.copytree(os.path.join(os.path.dirname(HERE), "Tests", "Programs", "page-module"), place)
    result = subprocess.run(["make", "-s", "-C", headers, f"M={place}", "modules"],
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return None, f"LIM-KMOD-01 is not run: the module does not build: {result.stderr.strip()}"
    return os.path.join(place, "page_module.ko"), ""
