# SPDX-License-Identifier: Apache-2.0
"""What a run leaves: evidence records and kernel profiles."""
import json
import os
import subprocess

from boot_run import has_own_image

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def git(*words):
    result = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True,
                            check=False)
    return result.stdout.strip() if result.returncode == 0 else ""


def checkout(*without):
    """(commit, whether files differ from it); without git nothing is known, and that is no clean tree."""
    commit = git("rev-parse", "HEAD")
    if not commit:
        return "unknown", True
    return commit, bool(git("status", "--porcelain", "--", ".", *(f":!{path}" for path in without)))


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.write("\n")


def write_evidence(runs, folder):
    """One record per test id and kernel release: the shape of Sources/Core/Compliance."""
    os.makedirs(folder, exist_ok=True)
    # Profiles are this run's own output: rewriting one must not mark the code as changed.
    commit, dirty = checkout("Fixtures/kernel-profiles")
    # A limit that the catalogue does not name is tested and printed, and gets no record.
    with open(os.path.join(ROOT, "Fixtures", "compliance", "tests.json"),
              encoding="utf-8") as file:
        known = {test["id"] for test in json.load(file)}
    groups = {}
    for run in runs:
        release = run.facts.get("release") or run.kernel["version"]
        for case in run.cases:
            if case["id"] in known and backs_catalogue(run, case["id"]):
                groups.setdefault((case["id"], release), []).append((run, case))
    written = 0
    for (identifier, release), entries in sorted(groups.items()):
        cases = [case for _, case in entries]
        controls = dict.fromkeys(case["control"] for case in cases if case["control"].strip())
        # Nothing was compared here, as where a kernel cannot do it: that backs no test.
        path = os.path.join(folder, f"{identifier}@{release}.json")
        if not controls and all(case["passed"] for case in cases):
            if os.path.exists(path):
                os.remove(path)
            continue
        written += 1
        observation = "; ".join(
            f"{case['name']}: {case['observation']}" + boot_note(run) for run, case in entries)
        write_json(path, {
            "id": identifier, "kernel": release, "commit": commit, "dirty": dirty,
            "result": "pass" if all(case["passed"] for case in cases) else "fail",
            "started": min(run.started for run, _ in entries), "observation": observation,
            "positiveControl": {
                "description": "; ".join(controls) or "none was made",
                "result": "pass" if all(case["controlPassed"] for case in cases) else "fail"}})
    return written


def backs_catalogue(run, identifier):
    """Whether a case of this boot says what the catalogue's test says.

    Without memfd_secret the attacks are expected to succeed. Such a case passes when it sees the
    leak, which holds the fallback to its name and backs no claim about secret memory.
    """
    return (run.facts.get("memfdSecret") == "available"
            or identifier in ("VM-MEM-12", "LIM-ENV-01", "LIM-ROOT-01",
                               "LIM-SIGNAL-01")
            # What the agent denies does not depend on the kind of memory.
            or identifier.startswith("VM-EBPF-"))


def boot_note(run):
    words = " ".join(run.boot["parameters"])
    return f" (booted with {words})" if words else ""


def write_profiles(runs, folder):
    """One file per series. The content follows from the kernel alone, so a diff shows drift."""
    os.makedirs(folder, exist_ok=True)
    runs = [run for run in runs if not has_own_image(run.boot)]
    for series in dict.fromkeys(run.boot["series"] for run in runs):
        members = [run for run in runs if run.boot["series"] == series and run.facts]
        if not members:
            continue
        members.sort(key=lambda run: run.boot["name"])
        write_json(os.path.join(folder, f"{series}.json"), {
            "series": series, "package": members[0].kernel["package"],
            "packageVersion": members[0].kernel["version"],
            "boots": [{"name": run.boot["name"], "parameters": run.boot["parameters"],
                       "facts": run.facts}
                      for run in members]})
