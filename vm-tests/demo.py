# SPDX-License-Identifier: Apache-2.0
"""The main job, shown: a program gets its password from a real vault, and is then attacked as
root next to the same program started the classic way.

Prints one table (attack, classic, CloudTaser). The expected cells come from a committed file;
exit 1 when a measured cell is not among them, 2 for a wrong call.
"""

import argparse
import contextlib
import glob
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from openbao import OpenBao, VaultError  # noqa: E402

NAME = "DB_PASSWORD"
READY_SECONDS_MAX = 30
# Above the attack program's own limit for a core dump, so that it restores core_pattern.
ATTACK_SECONDS_MAX = 120
NEEDS_ROOT = {"dev-mem", "kcore", "core-dump"}


class DemoError(Exception):
    """The demonstration could not be carried out; the text says why and what to do."""


def step(text):
    print(f"• {text}", file=sys.stderr, flush=True)


def fingerprint(value):
    """FNV-1a, 64 bit, as demo-application prints it."""
    result = 0xCBF29CE484222325
    for byte in value.encode():
        result = ((result ^ byte) * 0x100000001B3) % 2**64
    return f"{result:x}"


def application_below(pid):
    """The demo-application that a process is, or has among its descendants; None: there is none."""
    waiting = [pid]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if os.path.basename(file.read().split(b"\0")[0]) == b"demo-application":
                return pid
        # The wrapper's programs are children of the thread that traces them.
        for path in glob.glob(f"/proc/{pid}/task/*/children"):
            with contextlib.suppress(OSError), open(path) as file:
                waiting += file.read().split()
    return None


class Application:
    """A started demo-application, by whatever command line leads to it."""

    def __init__(self, title, command, environment, value):
        self.title = title
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        try:
            self._await_ready(value)
        except BaseException:
            # In a session of its own: nobody else would end it.
            self.stop()
            raise

    def _await_ready(self, value):
        line = self.process.stdout.readline().split()
        if line[:1] != ["ready"]:
            self.process.wait(READY_SECONDS_MAX)
            raise DemoError(
                f"{self.title}: exit code {self.process.returncode}: "
                + self.process.stderr.read().strip())
        if line[1:] != [str(len(value)), fingerprint(value)]:
            raise DemoError(f"{self.title}: the application holds another value")

    def application_pid(self):
        """The process that holds the value: the started one or a descendant of it."""
        pid = application_below(self.process.pid)
        if pid is None:
            raise DemoError(f"{self.title}: the application is gone")
        return pid

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def host_limits():
    """Why the attack half cannot run on this host; empty when it can."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(447, 0)
    if descriptor < 0:
        return f"no memfd_secret ({os.strerror(ctypes.get_errno())})"
    os.close(descriptor)
    child = os.fork()
    if child == 0:
        signal.pause()
    traced = libc.ptrace(0x4206, child, None, None)
    error = ctypes.get_errno()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "" if traced == 0 else f"ptrace is refused ({os.strerror(error)})"


def attack(tool, vector, application, needle_file):
    """One attack's outcome: leaked, absent, refused or unavailable, and its detail."""
    done = subprocess.run(
        [tool, vector, str(application.application_pid()), "--needle-file", needle_file],
        capture_output=True, text=True, timeout=ATTACK_SECONDS_MAX)
    if done.returncode != 0:
        raise DemoError(f"attack {vector}: {done.stderr.strip()}")
    report = json.loads(done.stdout.splitlines()[-1])
    return report["outcome"], report.get("detail", "")


@contextlib.contextmanager
def kept_core_pattern():
    """An attack that is interrupted does not put the machine's setting back itself."""
    path = "/proc/sys/kernel/core_pattern"
    with open(path) as file:
        before = file.read()
    try:
        yield
    finally:
        with open(path) as file:
            changed = file.read() != before
        if changed:
            with open(path, "w") as file:
                file.write(before)


def start_pair(arguments, vault, value, folder):
    """The application started the classic way, and under CloudTaser."""
    base = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    classic = Application(
        "classic", [arguments.application, NAME], {**base, NAME: value}, value)
    try:
        return classic, Application(
            "CloudTaser",
            [arguments.wrapper, "run", "--", arguments.application, NAME],
            {**base, **wrapper_environment(vault, folder)}, value)
    except BaseException:
        classic.stop()
        raise


def wrapper_environment(vault, folder):
    role, secret_id = vault.reader_approle("demo", "demo")
    secret_id_file = os.path.join(folder, "secret-id")
    with open(os.open(secret_id_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret_id)
    return {
        "VAULT_ADDR": vault.address,
        "VAULT_CACERT": vault.ca_file,
        "VAULT_AUTH_METHOD": "approle",
        "VAULT_AUTH_ROLE": role,
        "VAULT_SECRET_ID_FILE": secret_id_file,
        "CLOUDTASER_SECRET_PATHS": "secret/demo",
        "CLOUDTASER_ENV_MAP": f"password={NAME}",
    }


def run_attacks(arguments, vault, value, folder):
    """Rows of (attack, classic, CloudTaser, as expected)."""
    with open(arguments.expected) as file:
        expected = json.load(file)["attacks"]
    needle_file = os.path.join(folder, "needle")
    with open(os.open(needle_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(value)
    with kept_core_pattern():
        return attack_all(arguments, vault, value, folder, expected, needle_file)


def attack_all(arguments, vault, value, folder, expected, needle_file):
    rows = []
    pair = start_pair(arguments, vault, value, folder)
    try:
        step("both hold the password; attacking each "
             + ("as root" if os.geteuid() == 0 else f"as uid {os.geteuid()} (not root)"))
        for row in expected:
            if row["vector"] in NEEDS_ROOT and os.geteuid() != 0:
                rows.append((row, "not run", "not run", True))
                continue
            cells = [attack(arguments.attack, row["vector"], target, needle_file)[0]
                     for target in pair]
            fits = cells[0] in row["classic"] and cells[1] in row["cloudtaser"]
            rows.append((row, *cells, fits))
            if row["vector"] in ("core-dump", "ptrace-inject"):
                # These may end or disturb the target: the next attack gets a fresh pair.
                for target in pair:
                    target.stop()
                pair = start_pair(arguments, vault, value, folder)
    finally:
        for target in pair:
            target.stop()
    return rows


WORDS = {"leaked": "LEAKED", "absent": "not found", "refused": "refused",
         "unavailable": "not there", "not run": "needs root"}


def print_table(rows):
    width = max(len(row["title"]) for row, *_ in rows)
    print(f"\n  {'attack':<{width}}   {'classic':<10}   {'CloudTaser':<10}")
    print(f"  {'─' * width}   {'─' * 10}   {'─' * 10}")
    for row, classic, cloudtaser, fits in rows:
        mark = "" if fits else "   ← not as expected"
        print(f"  {row['title']:<{width}}   {WORDS[classic]:<10}   {WORDS[cloudtaser]:<10}{mark}")
    print("\n  not found: the attack read what it could reach, the password was not in it.")
    print("  refused: the kernel refused the pages of the password; the rest was read in vain.")
    print("  not there: this machine has no such device or file.")
    for row, *_ in rows:
        if "note" in row:
            print(f"  {row['title']}: {row['note']}.")


def verdict(rows):
    wrong = [row["vector"] for row, *_, fits in rows if not fits]
    skipped = [row["vector"] for row, classic, *_ in rows if classic == "not run"]
    if skipped:
        print(f"\n  Not run, because this user is not root: {', '.join(skipped)}.")
    print("  The hypervisor, the kernel itself and copies that a program makes of its own "
          "password\n  are not covered: see README.md, \"What is not protected\".")
    if wrong:
        print(f"\nNot as expected: {', '.join(wrong)} (see Fixtures/demo/expected.json)")
    else:
        print("\nEvery cell is as expected.")
    # What .ci/run counts.
    print(f"{len(rows) - len(skipped) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


def in_guest(arguments, reason):
    step(f"this host cannot show the attacks: {reason}; booting a guest kernel in QEMU instead")
    return subprocess.call(["make", "--no-print-directory", "vm-demo"])


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--wrapper", required=True, help="cloudtaser-wrapper")
    parser.add_argument("--attack", required=True, help="attack program")
    parser.add_argument("--application", required=True, help="demo-application")
    parser.add_argument("--openbao", required=True, help="OpenBao's binary")
    parser.add_argument("--expected", required=True, help="JSON of the expected cells")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    return parser.parse_args()


def main():
    arguments = parse()
    started = time.monotonic()
    try:
        step("starting OpenBao on loopback over TLS")
        with OpenBao(arguments.openbao) as vault, tempfile.TemporaryDirectory() as folder:
            value = secrets.token_urlsafe(30)
            vault.store("demo", {"password": value})
            step(f"stored a random password of {len(value)} characters at secret/demo")
            reason = host_limits()
            if reason:
                return in_guest(arguments, reason)
            step("starting the application twice: classic environment, and under the wrapper")
            rows = run_attacks(arguments, vault, value, folder)
    except (DemoError, VaultError, OSError, subprocess.TimeoutExpired) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if arguments.output == "json":
        print(json.dumps([{"vector": row["vector"], "classic": classic, "cloudtaser": cloudtaser,
                           "asExpected": fits} for row, classic, cloudtaser, fits in rows]))
        return 0 if all(fits for *_, fits in rows) else 1
    print_table(rows)
    result = verdict(rows)
    print(f"Took {time.monotonic() - started:.0f} s.")
    return result


if __name__ == "__main__":
    sys.exit(main())
