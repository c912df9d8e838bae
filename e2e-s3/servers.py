# SPDX-License-Identifier: Apache-2.0
"""Programs that are started here, and what they leave to be looked at: their output, files and memory."""
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

# On a busy machine.
SECONDS_MAX = 120


def eventually(what, is_true):
    """Waits; what is true at last is returned."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        found = is_true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A program that answers HTTP on a port of its own, and keeps that port when it is started anew."""

    def __init__(self, folder, name, scheme="http", authority=None):
        self.name = name
        self.port = free_port()
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}"
        self.log = os.path.join(folder, f"{name}.log")
        self.process = None
        self._trust = ssl.create_default_context(cafile=authority) if scheme == "https" else None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment())
        eventually(f"{self.name} answers; its output: {self.output()[-2000:]}", self._answers)

    def _answers(self):
        """Whatever the answer is."""
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended at once:\n{self.output()[-4000:]}")
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5, context=self._trust):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def output(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, number=signal.SIGTERM):
        if self.process is None or self.process.poll() is not None:
            return
        # One that was halted takes no other signal.
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self):
        self.stop(signal.SIGKILL)

    def halt(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def memory(self):
        """What its process has in memory, part by part."""
        with open(f"/proc/{self.process.pid}/maps", encoding="utf-8") as maps, \
                open(f"/proc/{self.process.pid}/mem", "rb", 0) as memory:
            for line in maps:
                span, rights = line.split()[:2]
                if not rights.startswith("rw") or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                    continue
                start, end = (int(half, 16) for half in span.split("-"))
                while start < end:
                    size = min(end - start, 16 << 20)
                    try:
                        memory.seek(start)
                        yield f"memory of {self.name} at {start:#x}", memory.read(size)
                    except OSError:
                        pass  # Gone meanwhile, or not backed by anything.
                    start += size

    def deleted_files(self):
        """Files that it has open and nobody else can see."""
        folder = f"/proc/{self.process.pid}/fd"
        for number in os.listdir(folder):
            path = os.path.join(folder, number)
            try:
                if os.readlink(path).endswith("(deleted)"):
                    with open(path, "rb") as file:
                        yield f"open file {number} of {self.name}", file.read()
            except OSError:
                pass
