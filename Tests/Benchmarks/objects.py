# SPDX-License-Identifier: Apache-2.0
"""The S3 proxy in front of a store that does nothing, next to OpenSSL's ciphers and to `rclone serve s3`
over a crypt remote in front of the same store, in the same run.

A figure "per core" is bytes or requests by the processor time of the measured program, user and system:
client and store run beside it on the same processors, and their time does not count. Memory is what the
kernel says of the process.
"""

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
E2E = os.path.join(os.path.dirname(os.path.dirname(HERE)), "e2e-s3")
PIECE = 1 << 20
GIB = 1 << 30
BUCKET = "bench"
SMALL_BYTES = 4096
STREAMS = 64
IDLE = 1_000
# Of the issue, each per core.
TARGETS = {"put_signed": 500, "put_unsigned": 800, "get": 1_000, "small_put": 3_000, "small_get": 3_000,
           "streams_kib": 150_000_000 // 1024, "idle_bytes": 20_000}
CRYPT = """\
[store]
type = s3
provider = Other
access_key_id = AKBENCH
secret_access_key = bench
endpoint = {endpoint}
region = us-east-1
force_path_style = true
no_check_bucket = true

[sealed]
type = crypt
remote = store:
filename_encryption = off
directory_name_encryption = false
suffix = none
password = {password}
"""


class Measured:
    """A process, by what the kernel counts of it."""

    def __init__(self, name, pid, endpoint, access_key, secret):
        self.name, self.pid = name, pid
        self.endpoint, self.access_key, self.secret, self.authority = endpoint, access_key, secret, None

    def seconds(self):
        """Of processor time."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kib(self, name="VmRSS"):
        with open(f"/proc/{self.pid}/status") as file:
            return int(dict(line.split(":", 1) for line in file)[name].split()[0])


class Client:
    """One connection that stays open; requests are signed before the clock runs."""

    def __init__(self, target):
        import raw
        self.target, self.signer = target, raw.Signer(target)
        self.socket = socket.create_connection((self.signer.host, self.signer.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.scratch = bytearray(PIECE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def head(self, method, key, size=0, payload="UNSIGNED-PAYLOAD"):
        """key "": the bucket."""
        path, fields, _ = self.signer.signed(method, f"/{BUCKET}/{key}".rstrip("/"), payload=payload)
        lines = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
        if method == "PUT":
            lines.append(f"content-length: {size}")
        return "\r\n".join(lines + ["", ""]).encode()

    def ask(self, head, piece=b"", count=0):
        self.socket.sendall(head)
        try:
            for _ in range(count):
                self.socket.sendall(piece)
        except ConnectionError:
            pass  # Refused before its end: the answer says why.
        return self.answer()

    def answer(self):
        """Bytes of its body."""
        rest = b""
        while b"\r\n\r\n" not in rest:
            more = self.socket.recv(65536)
            if not more:
                raise SystemExit(f"bench: {self.target.name} hung up")
            rest += more
        head, rest = rest.split(b"\r\n\r\n", 1)
        size = int(re.search(rb"(?i)content-length: (\d+)", head + b"\r\ncontent-length: 0").group(1))
        if not head.startswith(b"HTTP/1.1 20"):
            raise SystemExit(f"bench: {self.target.name}: {(head + rest)[:600].decode()}")
        done = len(rest)
        while done < size:
            count = self.socket.recv_into(self.scratch)
            if not count:
                raise SystemExit(f"bench: {self.target.name} cut an answer")
            done += count
        return size


class Run:
    """All measurements of one program in front of the store."""

    def __init__(self, target, mib, small, say):
        self.target, self.mib, self.small, self.say = target, mib, small, say
        self.piece = os.urandom(PIECE)
        digest = hashlib.sha256()
        for _ in range(mib):
            digest.update(self.piece)
        self.digest = digest.hexdigest()

    def rate(self, amount, work):
        """Amount by a second of processor time, and by a second of the clock."""
        before, begin = self.target.seconds(), time.perf_counter()
        work()
        elapsed = time.perf_counter() - begin
        return {"core": amount / max(0.01, self.target.seconds() - before), "clock": amount / elapsed}

    def large(self):
        megabytes = self.mib * PIECE / 1e6
        with Client(self.target) as client:
            client.ask(client.head("PUT", ""))
            size = self.mib * PIECE

            def put(key, payload):
                return lambda: client.ask(client.head("PUT", key, size, payload), self.piece, self.mib)
            put("warm", "UNSIGNED-PAYLOAD")()
            put("kept/large", "UNSIGNED-PAYLOAD")()
            rates = {"put_unsigned": self.rate(megabytes, put("large", "UNSIGNED-PAYLOAD")),
                     "put_signed": self.rate(megabytes, put("large", self.digest))}

            def get():
                if client.ask(client.head("GET", "kept/large")) != size:
                    raise SystemExit(f"bench: {self.target.name}: an object of another size")
            get()
            rates["get"] = self.rate(megabytes, get)
        return rates

    def many(self):
        """Small objects, each answered before the next is sent."""
        with Client(self.target) as client:
            body = self.piece[:SMALL_BYTES]
            signed = hashlib.sha256(body).hexdigest()
            puts = [client.head("PUT", f"kept/small-{n}", len(body), signed) for n in range(self.small)]
            gets = [client.head("GET", f"kept/small-{n}") for n in range(self.small)]
            for head in puts[:100]:
                client.ask(head, body, 1)
            return {"small_put": self.rate(self.small, lambda: [client.ask(h, body, 1) for h in puts]),
                    "small_get": self.rate(self.small, lambda: [client.ask(h) for h in gets])}

    def streams(self, seconds):
        """Highest resident KiB while so many objects of 1 GiB are written, or read, at once."""
        highest = {}
        for direction in ("write", "read"):
            self.say(f"{self.target.name}: {STREAMS} streams of 1 GiB, {direction}, for {seconds} s ...")
            if direction == "read":
                with Client(self.target) as client:
                    client.ask(client.head("PUT", "kept/gib", GIB), self.piece, GIB // PIECE)
            end, moved, threads = time.monotonic() + seconds, [0] * STREAMS, []

            def work(number, direction=direction, end=end, moved=moved):
                with Client(self.target) as client:
                    if direction == "write":
                        client.socket.sendall(client.head("PUT", f"stream-{number}", GIB))
                        while time.monotonic() < end and moved[number] < GIB:
                            client.socket.sendall(self.piece)
                            moved[number] += PIECE
                        if moved[number] == GIB:
                            client.answer()
                    else:
                        client.socket.sendall(client.head("GET", "kept/gib"))
                        while time.monotonic() < end and moved[number] < GIB:
                            moved[number] += client.socket.recv_into(client.scratch)
            for number in range(STREAMS):
                threads.append(threading.Thread(target=work, args=(number,)))
                threads[-1].start()
            most = 0
            while any(thread.is_alive() for thread in threads):
                most = max(most, self.target.kib())
                time.sleep(0.1)
            highest[direction] = {"kib": most, "gib_moved": sum(moved) / GIB,
                                  "least_mib": min(moved) / PIECE}
        return highest

    def idle(self):
        """Bytes that a connection costs which has done one request and waits."""
        with Client(self.target) as client:
            client.ask(client.head("PUT", "kept/one", SMALL_BYTES), self.piece[:SMALL_BYTES], 1)
        time.sleep(1)
        before, clients = self.target.kib(), []
        for _ in range(IDLE):
            clients.append(Client(self.target))
            clients[-1].ask(clients[-1].head("GET", "kept/one"))
        time.sleep(1)
        cost = (self.target.kib() - before) * 1024 / IDLE
        for client in clients:
            client.__exit__()
        return cost


def openssl(seconds):
    """MB a second of one core: AES-256-GCM by blocks of 64 KiB, and SHA-256."""
    rates = {}
    for name, words in (("aes_256_gcm", ["-evp", "aes-256-gcm"]), ("sha_256", ["-evp", "sha256"])):
        done = subprocess.run(
            ["openssl", "speed", "-mr", "-seconds", str(seconds), "-bytes", "65536", *words],
            capture_output=True, text=True, check=True)
        line = next(line for line in done.stdout.splitlines() if line.startswith("+F:"))
        rates[name] = float(line.split(":")[3]) / 1e6
    return rates


def rclone(program, store, folder):
    """`rclone serve s3` over a crypt remote of the same store."""
    import servers
    password = subprocess.run([program, "obscure", "a-password"], capture_output=True, text=True,
                              check=True).stdout.strip()
    path = os.path.join(folder, "rclone.conf")
    with open(path, "w") as file:
        file.write(CRYPT.format(endpoint=store, password=password))

    class Crypt(servers.Server):
        def command(self):
            return [program, "serve", "s3", "--config", path, "--addr", f"127.0.0.1:{self.port}",
                    "--auth-key", "AKBENCH,bench", "sealed:"]
    server = Crypt(folder, "rclone-crypt")
    server.start()
    return server


def of_program(target, counts, say):
    run = Run(target, counts["mib"], counts["small"], say)
    say(f"{target.name}: {counts['mib']} MiB in one object ...")
    row = run.large()
    say(f"{target.name}: {counts['small']:,} objects of {SMALL_BYTES} bytes ...")
    row |= run.many()
    row["idle_bytes"] = run.idle()
    row["streams"] = run.streams(counts["seconds"])
    return row


def measure(program, cache, folder, quick, say):
    sys.path.insert(0, E2E)
    os.environ["CLOUDTASER_S3_PROXY"] = program
    os.environ["CLOUDTASER_S3"] = os.path.join(cache, "s3")
    os.environ["CLOUDTASER_OPENBAO"] = os.path.join(cache, "openbao/bao")
    import proxy as proxies
    import stage as stages
    import upstreams
    counts = {"mib": 128, "small": 1_000, "seconds": 5} if quick else {
        "mib": 1024, "small": 10_000, "seconds": 20}
    report = {"counts": counts, "openssl": openssl(1 if quick else 3), "programs": {}}
    store = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "null_store.py")],
                             stdout=subprocess.PIPE, text=True)
    stage = stages.Stage(kinds=())
    try:
        endpoint = f"http://127.0.0.1:{int(store.stdout.readline())}"
        server = rclone(upstreams.rclone_program(), endpoint, folder)
        try:
            target = Measured("rclone crypt", server.process.pid, server.endpoint, "AKBENCH", "bench")
            report["programs"]["rclone"] = of_program(target, counts, say)
        finally:
            server.kill()
        secret_id = stage.vault.call("POST", "auth/approle/role/s3/secret-id", {})["data"]["secret_id"]
        own = stage.started(proxies.Proxy(
            stage.folder, "proxy", endpoint, stage.vault, (stage.role, secret_id), log_level="notice"))
        target = Measured("proxy", own.process.pid, own.endpoint, stages.CLIENT_ACCESS_KEY,
                          stages.CLIENT_SECRET)
        report["programs"]["proxy"] = of_program(target, counts, say)
    finally:
        stage.close()
        store.kill()
        store.wait()
    return report


WORDS = {"put_signed": "PUT with the client's SHA-256", "put_unsigned": "PUT unsigned", "get": "GET",
         "small_put": f"PUT of {SMALL_BYTES} bytes", "small_get": f"GET of {SMALL_BYTES} bytes"}


def ideal(name, ciphers):
    """MB a second of a core that does nothing but OpenSSL's ciphers."""
    if name == "put_signed":
        return 1 / (1 / ciphers["aes_256_gcm"] + 1 / ciphers["sha_256"])
    return ciphers["aes_256_gcm"]


def show(report):
    ciphers, programs = report["openssl"], report["programs"]
    own, other = programs["proxy"], programs["rclone"]
    print(f"\nS3 proxy in front of a store that does nothing; OpenSSL on one core: AES-256-GCM "
          f"{ciphers['aes_256_gcm']:,.0f} MB/s, SHA-256 {ciphers['sha_256']:,.0f} MB/s")
    for name, words in WORDS.items():
        unit = "requests" if name.startswith("small") else "MB"
        more = "" if unit == "requests" else (
            f", {own[name]['core'] / ideal(name, ciphers):.2f} x OpenSSL's ciphers alone")
        word = "met" if own[name]["core"] >= TARGETS[name] else "NOT MET"
        print(f"      {words:<30} {own[name]['core']:>8,.0f} {unit} a second and core "
              f"(by the clock {own[name]['clock']:,.0f}), "
              f"{own[name]['core'] / other[name]['core']:.2f} x rclone crypt{more}; "
              f"goal {TARGETS[name]:,}: {word}")
    for direction, row in own["streams"].items():
        word = "met" if row["kib"] <= TARGETS["streams_kib"] else "NOT MET"
        print(f"      {STREAMS} streams of 1 GiB, {direction}: {row['kib']:,} KiB resident at most "
              f"(rclone {other['streams'][direction]['kib']:,}), goal {TARGETS['streams_kib']:,}: {word}; "
              f"{row['gib_moved']:.1f} GiB moved, the slowest {row['least_mib']:.0f} MiB")
    word = "met" if own["idle_bytes"] <= TARGETS["idle_bytes"] else "NOT MET"
    print(f"      an idle connection of {IDLE:,}: {own['idle_bytes']:,.0f} bytes (rclone "
          f"{other['idle_bytes']:,.0f}), goal {TARGETS['idle_bytes']:,}: {word}")
