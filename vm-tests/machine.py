# SPDX-License-Identifier: Apache-2.0
"""One QEMU machine: its console, its line of JSON messages, its monitor, its swap device."""
import json
import os
import select
import socket
import subprocess
import time

QEMU = "qemu-system-x86_64"
SWAP_BYTES = 160 << 20
CONNECT_SECONDS = 20


class BootFailure(Exception):
    """The machine stopped or hung; the text says when."""


class Machine:
    """Starts at once. `messages()` yields what the guest says; `answer()` lets it go on. `more` are
    options of QEMU for this machine."""

    def __init__(self, kernel, initramfs, words, folder, memory_mib, seconds, more=()):
        self.folder, self.memory_bytes = folder, memory_mib << 20
        self.deadline = time.monotonic() + seconds
        self.console_path = os.path.join(folder, "console")
        self.swap_path = os.path.join(folder, "swap")
        with open(self.swap_path, "wb") as file:
            file.truncate(SWAP_BYTES)
        line, monitor = os.path.join(folder, "line"), os.path.join(folder, "monitor")
        # SWIFT_ROOT: the static Swift runtime aborts without it when /proc is not mounted yet.
        # panic=-1 with -no-reboot ends the machine instead of leaving it hung.
        command_line = " ".join(["console=ttyS0", "quiet", "panic=-1", "SWIFT_ROOT=/", *words])
        with open(os.path.join(folder, "qemu-errors"), "wb") as errors:
            self.process = subprocess.Popen([
                QEMU, "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(memory_mib),
                "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                "-serial", f"file:{self.console_path}",
                "-chardev", f"socket,id=line,path={line},server=on,wait=off",
                "-serial", "chardev:line",
                "-qmp", f"unix:{monitor},server=on,wait=off",
                "-drive", f"file={self.swap_path},if=none,id=swap,format=raw,cache=writeback",
                "-device", "nvme,serial=swap,drive=swap",
                "-kernel", kernel, "-initrd", initramfs, "-append", command_line,
                *more,
            ], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        self.line = self.connect(line)
        self.monitor = self.connect(monitor).makefile("rwb", buffering=0)
        self.monitor.readline()
        self.command("qmp_capabilities")

    def connect(self, path):
        end = time.monotonic() + CONNECT_SECONDS
        while time.monotonic() < end:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(path)
                return connection
            except OSError:
                connection.close()
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        with open(os.path.join(self.folder, "qemu-errors"), encoding="utf-8") as file:
            reason = file.read().strip()
        self.stop()
        raise BootFailure(f"{QEMU} did not start: {reason}")

    def command(self, name, **options):
        """A QMP command (QEMU Machine Protocol); waits for its return."""
        request = {"execute": name}
        if options:
            request["arguments"] = options
        self.monitor.write(json.dumps(request).encode() + b"\n")
        while True:
            reply = self.monitor.readline()
            if not reply:
                raise BootFailure(f"the machine ended during {name}")
            answer = json.loads(reply)
            if "error" in answer:
                raise BootFailure(f"{name}: {answer['error'].get('desc')}")
            if "return" in answer:
                return answer["return"]

    def messages(self):
        """JSON objects from the guest until it powers off."""
        pending = b""
        while True:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise BootFailure("time is up: the guest hung")
            ready, _, _ = select.select([self.line], [], [], min(left, 1.0))
            if not ready:
                continue
            try:
                block = self.line.recv(65536)
            except ConnectionResetError:
                block = b""
            if not block:
                return
            pending += block
            while b"\n" in pending:
                text, pending = pending.split(b"\n", 1)
                # The firmware may have left bytes on the port before the guest's first line.
                start = text.find(b"{")
                if start >= 0:
                    yield self.parsed(text[start:])

    @staticmethod
    def parsed(text):
        try:
            return json.loads(text)
        except ValueError as error:
            raise BootFailure(f"not JSON from the guest: {text[:80]!r}") from error

    def answer(self):
        self.line.sendall(b"\n")

    def memory_image(self):
        """The guest's physical memory as bytes, taken while it stands still (QMP pmemsave)."""
        path = os.path.join(self.folder, "memory")
        self.command("stop")
        self.command("pmemsave", val=0, size=self.memory_bytes, filename=path)
        self.command("cont")
        with open(path, "rb") as file:
            image = file.read()
        os.remove(path)
        return image

    def console_tail(self, count):
        try:
            with open(self.console_path, encoding="utf-8", errors="replace") as file:
                return file.read().replace("\r", "").splitlines()[-count:]
        except OSError:
            return []

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
