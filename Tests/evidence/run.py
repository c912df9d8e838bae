#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Evidence packages, made by the program and read by tools that others wrote. The last line is
`N passed, N failed`.

Usage: run.py --program PATH --openbao PATH [MODULE...]   with the interpreter of .ci/fetch-evidence-tools
"""
import argparse
import os
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the cloudtaser program")
    parser.add_argument("--openbao", required=True, help="the bao program")
    parser.add_argument("modules", nargs="*")
    options = parser.parse_args()
    root = os.path.dirname(os.path.dirname(FOLDER))
    sys.path.insert(0, FOLDER)
    # What writes evidence records, behind everything.
    sys.path += [os.path.join(root, folder) for folder in ("e2e", "vm-tests")]
    import evidence
    import packages

    packages.PROGRAM = os.path.abspath(options.program)
    packages.OPENBAO = os.path.abspath(options.openbao)
    names = options.modules or sorted(
        name[:-3] for name in os.listdir(FOLDER)
        if name.startswith("test_") and name.endswith(".py"))
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    # A test with several failing parts counts once; one that was skipped has shown nothing.
    bad = {getattr(test, "test_case", test).id()
           for test, _ in result.failures + result.errors + result.skipped}
    for name in sorted(bad):
        print(f"FAILED {name}")
    evidence.write()
    print(f"{max(0, result.testsRun - len(bad))} passed, {len(bad)} failed")
    return 1 if bad or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
