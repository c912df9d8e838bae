#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of what is deployed. The last line is `N passed, N failed`.

Usage: run.py [MODULE...]   without names: every test_*.py of this folder
"""
import os
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))


def main(folder=FOLDER):
    sys.path.insert(0, folder)
    names = sys.argv[1:] or sorted(
        name[:-3] for name in os.listdir(folder)
        if name.startswith("test_") and name.endswith(".py"))
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    # A test with several failing parts counts once; one that was skipped has shown nothing.
    bad = {getattr(test, "test_case", test).id()
           for test, _ in result.failures + result.errors + result.skipped}
    failed = len(bad)
    for name in sorted(bad):
        print(f"FAILED {name}")
    print(f"{max(0, result.testsRun - failed)} passed, {failed} failed")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
