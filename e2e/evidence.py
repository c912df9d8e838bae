# SPDX-License-Identifier: Apache-2.0
"""Evidence records of tests that the catalogue names (docs/reference/evidence-records.md)."""
import functools
import os
import time

import results

# By id: what each test of it came to.
_cases = {}


def evidence(identifier, control):
    """Of a test method, whose docstring is the observation; `self.measured(text)` adds to it. It calls
    `self.control()` when the control has shown what it should; one that never does fails. Parts (`subTest`)
    would not be seen here."""
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            case = {"observation": test.__doc__, "control": control, "passed": False, "shown": False,
                    "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            _cases.setdefault(identifier, []).append(case)
            self.control = lambda: case.update(shown=True)
            self.measured = lambda text: case.update(observation=f"{case['observation']}; {text}")
            test(self)
            self.assertTrue(case["shown"], "the control was not looked at")
            case["passed"] = True
        return run
    return decorate


def write():
    folder = os.environ.get("CLOUDTASER_EVIDENCE_DIR")
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    release = os.uname().release
    commit, dirty = results.checkout()
    for identifier, cases in _cases.items():
        def verdict(key):
            return "pass" if all(case[key] for case in cases) else "fail"
        results.write_json(os.path.join(folder, f"{identifier}@{release}.json"), {
            "id": identifier, "kernel": release, "commit": commit, "dirty": dirty,
            "result": verdict("passed"),
            "started": min(case["started"] for case in cases),
            "observation": "; ".join(dict.fromkeys(case["observation"] for case in cases)),
            "positiveControl": {
                "description": "; ".join(dict.fromkeys(case["control"] for case in cases)),
                "result": verdict("shown")}})
