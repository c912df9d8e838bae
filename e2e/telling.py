# SPDX-License-Identifier: Apache-2.0
"""How the story is told: headlines, the command lines that are run with the lines of their output that
matter, and checks, which are counted."""
import re
import subprocess
import time

COLUMNS = 112
COMMAND_SECONDS_MAX = 120
# Output may not steer a terminal.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Interrupted(Exception):
    """What the rest of the story would need has gone wrong; the text says what."""


class Telling:
    def __init__(self, folder, environment):
        """folder: where commands are run; environment: in which they are."""
        self.folder = folder
        self.environment = environment
        self.passed = 0
        self.failed = 0
        self.seconds = []
        self._started = time.monotonic()

    def chapter(self, title):
        self._print(f"\n── {len(self.seconds) + 1}. {title} " + "─" * max(0, 80 - len(title)))
        self.seconds.append(time.monotonic())

    def text(self, text):
        self._print(f"  {text}")

    def show(self, output, *patterns, limit=8):
        """The lines in which one of the patterns is found; all of them without patterns."""
        lines = [one.rstrip() for one in output.splitlines() if one.strip()]
        chosen = [one for one in lines if not patterns or any(re.search(each, one) for each in patterns)]
        for line in chosen[:limit]:
            line = _CONTROLS.sub("?", line.replace("\t", " "))
            self._print("      " + (line if len(line) <= COLUMNS else line[:COLUMNS - 1] + "…"))

    def run(self, line, code=0, folder=None):
        """A command line as somebody would type it. code: how it has to end, for the story to go on; None: anyhow."""
        self._print(f"  $ {line}")
        done = subprocess.run(
            ["/bin/bash", "-c", line], cwd=folder or self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS_MAX)
        if code is not None and done.returncode != code:
            said = (done.stderr or done.stdout).strip()[-1500:]
            raise Interrupted(f"`{line}` ended with {done.returncode}: {said}")
        return done

    def check(self, text, is_true):
        if is_true:
            self.passed += 1
            self._print(f"  ✔ {text}")
        else:
            self.failed += 1
            # At the line's start: .ci/run repeats such lines in its summary.
            self._print(f"✘ not so: {text}")

    def count(self, good, bad):
        """What was checked elsewhere: names."""
        self.passed += len(good)
        self._print(f"  ✔ as expected: {len(good)}")
        for name in bad:
            self.check(f"{name}: as expected", False)

    def broken(self, text):
        self.failed += 1
        self._print(f"✘ {_CONTROLS.sub('?', text)}")

    def end(self):
        """The closing form that .ci/run counts; an exit code."""
        edges = self.seconds + [time.monotonic()]
        parts = ", ".join(f"{after - before:.0f}" for before, after in zip(edges, edges[1:]))
        if self.seconds:
            self._print(f"\nSeconds of the chapters: {parts}; before them: {edges[0] - self._started:.0f}.")
        self._print(f"Took {edges[-1] - self._started:.0f} s.")
        self._print(f"{self.passed} passed, {self.failed} failed")
        return 0 if self.passed and not self.failed else 1

    @staticmethod
    def _print(text):
        print(text, flush=True)
