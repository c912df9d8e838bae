# SPDX-License-Identifier: Apache-2.0
"""One QEMU machine: its console, its line of JSON messages, its monitor, its swap device."""
import json
import os
import select
import socket
import subprocess
import time

QEMU = "qemu-system-x86_64"
# Without "enhanced rep movsb": the kernel then copies and clears eight bytes with an instruction, and
# software emulation pays for each instruction (a fifth of the time of a boot was measured). Without AVX,
# whose instructions and registers are emulated piece by piece (a fifteenth).
PROCESSOR = "max,-erms,-fsrm,-avx,-avx2"
SWAP_BYTES = 160 << 20
CONNECT_SECONDS = 20
SILENCES_MAX = 10
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BootFailure(Exception):
    """The machine stopped or hung; the text says when."""


class Machine:
    """Starts at once. `messages()` yields what the guest says; `answer()` lets it go on. `more` are
    options of QEMU for this machine.

    A guest that says nothing for `silence` seconds hangs. On a busy host each step takes longer,
    so that the whole boot has a far wider limit.
    """

    def __init__(self, kernel, initramfs, words, folder, memory_mib, silence, more=()):
        self.folder, self.memory_bytes = folder, memory_mib << 20
        self.silence = silence
        self.deadline = time.monotonic() + silence * SILENCES_MAX
        self.console_path = os.path.join(folder, "console")
        self.swap_path = os.path.join(folder, "swap")
        with open(self.swap_path, "wb") as file:
            file.truncate(SWAP_BYTES)
        line, monitor = os.path.join(folder, "line"), os.path.join(folder, "monitor")
        # SWIFT_ROOT: the static Swift runtime aborts without it when /proc is not mounted yet.
        # panic=-1 with -no-reboot ends the machine instead of leaving it hung.
        # No tests of ciphers, which only lengthen the boot.
        command_line = " ".join(["console=ttyS0", "quiet", "panic=-1", "cryptomgr.notests",
                                 "SWIFT_ROOT=/", *words])
        with open(os.path.join(folder, "qemu-errors"), "wb") as errors:
            self.process = subprocess.Popen([
                QEMU, "-accel", "tcg", "-cpu", PROCESSOR, "-smp", "1", "-m", str(memory_mib),
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
        pending, heard = b"", time.monotonic()
        while True:
            now = time.monotonic()
            if now > heard + self.silence:
                raise BootFailure(f"nothing heard for {self.silence} s: the guest hung")
            if now > self.deadline:
                raise BootFailure("the whole boot took too long")
            ready, _, _ = select.select([self.line], [], [], 1.0)
            if not ready:
                continue
            heard = now
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

    def processor_seconds(self):
        """What the machine has used so far (proc_pid_stat(5), utime and stime)."""
        try:
            with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

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
