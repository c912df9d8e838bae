#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The S3 proxy with a real vault, real stores and real clients. The last line is `N passed, N failed`.

Usage: run.py [MODULE...]   without names: every test_*.py of this folder, by name
targets.py says at what they are played; docs/reference/s3-tests.md what they show.
"""
import importlib.util
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)


def main():
    # The vault, and the decoder by another hand; behind everything, what writes evidence.
    sys.path[:0] = [os.path.join(ROOT, "vm-tests"), os.path.join(ROOT, "Tests", "ct1")]
    sys.path.append(os.path.join(ROOT, "e2e"))
    path = os.path.join(ROOT, "deploy", "tests", "run.py")
    specification = importlib.util.spec_from_file_location("runner", path)
    runner = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(runner)
    status = runner.main(FOLDER)
    import evidence
    import targets
    if not (targets.IS_CONTROL or targets.IS_NAMED):
        evidence.write()
    # The closing line is the last one of the output proper.
    for name, seconds in sorted(targets.spent.items(), key=lambda one: -one[1])[:12]:
        print(f"{seconds:6.1f} s {name}", file=sys.stderr)
    for name, reason in sorted(targets.left_out.items()):
        print(f"not played: {name}: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
