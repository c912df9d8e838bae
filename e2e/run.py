#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The operator, the wrapper, a real API server and a real vault together. The last line is
`N passed, N failed`.

Usage: run.py [MODULE...]   without names: every test_*.py of this folder, by name
"""
import importlib.util
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)


def main():
    # The chart, the API server; the vault.
    sys.path[:0] = [os.path.join(ROOT, "deploy", "tests"), os.path.join(ROOT, "vm-tests")]
    path = os.path.join(ROOT, "deploy", "tests", "run.py")
    specification = importlib.util.spec_from_file_location("runner", path)
    runner = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(runner)
    status = runner.main(FOLDER)
    import evidence
    evidence.write()
    return status


if __name__ == "__main__":
    sys.exit(main())
