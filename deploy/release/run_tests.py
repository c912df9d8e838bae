#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of this folder. The last line is `N passed, N failed`."""
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "tests"))

import run  # noqa: E402

if __name__ == "__main__":
    sys.exit(run.main(FOLDER))
