# SPDX-License-Identifier: Apache-2.0
"""A real kube-apiserver 1.20 with its etcd, on loopback, for as long as a `with` lasts."""
import ctypes
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request

# On a busy machine.
START_SECONDS_MAX = 300
# PR_SET_PDEATHSIG (linux/prctl.h).
DEATH_SIGNAL_OF_PARENT = 1


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _end_with_parent():
    """In the child: tests that are killed leave no servers behind."""
    ctypes.CDLL(None).prctl(DEATH_SIGNAL_OF_PARENT, signal.SIGTERM)


class ApiServer:
    def __init__(self, *flags):
        """flags: more of kube-apiserver"""
        self._flags = flags
        self.programs = os.environ["CLOUDTASER_KUBERNETES"]
        self._processes = []

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="cloudtaser-manifests-")
        try:
            self._start(self._folder.name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # The API server before its store.
        for process in reversed(self._processes):
            process.terminate()
            process.wait()
        self._folder.cleanup()

    def _start(self, folder):
        port, store, peers = _free_ports(3)
        self.address = f"https://127.0.0.1:{port}"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", "key.pem", "-out", "certificate.pem"],
            cwd=folder, check=True, capture_output=True)
        self._write("tokens.csv", "administrator,administrator,1,system:masters\n")
        self._run(
            "etcd", "--data-dir", "etcd", "--unsafe-no-fsync", "--log-level", "error",
            "--listen-client-urls", f"http://127.0.0.1:{store}",
            "--advertise-client-urls", f"http://127.0.0.1:{store}",
            "--listen-peer-urls", f"http://127.0.0.1:{peers}")
        self._run(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1",
            f"--secure-port={port}", "--insecure-port=0", "--tls-cert-file=certificate.pem",
            "--tls-private-key-file=key.pem", "--service-account-issuer=https://test",
            "--service-account-key-file=certificate.pem", "--service-account-signing-key-file=key.pem",
            "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC",
            "--token-auth-file=tokens.csv", "--endpoint-reconciler-type=none",
            "--allow-privileged=true", "--cert-dir=certificates", *self._flags)
        self._write("kubeconfig", f"""
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "{self.address}", certificate-authority: certificate.pem}}}}]
users: [{{name: u, user: {{token: administrator}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
""")
        self._wait(f"{self.address}/readyz")

    def _write(self, name, text):
        with open(os.path.join(self._folder.name, name), "w", encoding="utf-8") as file:
            file.write(text)

    def _run(self, program, *arguments):
        log = open(os.path.join(self._folder.name, program + ".log"), "w", encoding="utf-8")
        self._processes.append(subprocess.Popen(
            [os.path.join(self.programs, program), *arguments], cwd=self._folder.name,
            stdout=log, stderr=subprocess.STDOUT, preexec_fn=_end_with_parent))
        log.close()

    def _wait(self, url):
        trust = ssl.create_default_context(cafile=os.path.join(self._folder.name, "certificate.pem"))
        request = urllib.request.Request(url, headers={"Authorization": "Bearer administrator"})
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            for process in self._processes:
                if process.poll() is not None:
                    log = os.path.join(self._folder.name, os.path.basename(process.args[0]) + ".log")
                    with open(log, encoding="utf-8") as file:
                        raise RuntimeError(f"{process.args[0]} ended: {file.read()[-2000:]}")
            try:
                with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
                    if answer.read() == b"ok":
                        return
            except OSError:
                pass
            time.sleep(0.2)
        raise RuntimeError("kube-apiserver is not ready")

    @property
    def folder(self):
        """Of its files: certificate.pem, which signs itself; key.pem, also of tokens; etcd/."""
        return self._folder.name

    @property
    def kubeconfig(self):
        return os.path.join(self._folder.name, "kubeconfig")

    def kubectl(self, *arguments, text=""):
        """(succeeded, output)"""
        run = subprocess.run(
            [os.path.join(self.programs, "kubectl"), "--kubeconfig", "kubeconfig", *arguments],
            cwd=self._folder.name, input=text, capture_output=True, text=True, check=False,
            env={"HOME": self._folder.name, "PATH": "/usr/bin:/bin"})
        return run.returncode == 0, run.stdout + run.stderr
