# SPDX-License-Identifier: Apache-2.0
"""Replicas of the operator, and who tells the Service of them."""
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import api_server
import support

NAME = "cloudtaser-operator"
ENDPOINTS = f"/api/v1/namespaces/{support.NAMESPACE}/endpoints/{NAME}"


def own_address():
    """Of this machine; an endpoint must not be on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent.
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            raise RuntimeError(
                f"this machine has no route ({error}); give it an address besides 127.0.0.1, for example: "
                "ip route add 192.0.2.0/24 dev eth0") from error
        return probe.getsockname()[0]


class Replica:
    """The built program with the arguments that the chart gives it, but for its ports, and looks at agents more often."""

    def __init__(self, program, arguments, kubeconfig, log):
        self.address = own_address()
        self.port, self.health_port = api_server._free_ports(2)
        ports = {"--port": self.port, "--health-port": self.health_port}
        kept = [one for one in arguments if one.split("=")[0] not in ports]
        self.log = log
        with open(log, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [program, *kept, *(f"{name}={port}" for name, port in ports.items()),
                 "--report-seconds=3", "--kubeconfig", kubeconfig],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file,
                env={"HOME": os.path.dirname(log), "PATH": "/usr/bin:/bin"},
                preexec_fn=api_server._end_with_parent)

    def health(self, path):
        """(status, text); status 0: nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.health_port}{path}"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    @property
    def is_ready(self):
        return self.process.poll() is None and self.health("/readyz")[0] == 200

    def metric(self, line):
        """The value of a sample; None: there is none."""
        for found in self.health("/metrics")[1].splitlines():
            if found.startswith(line + " "):
                return float(found.split()[-1])
        return None

    @property
    def leads(self):
        return self.metric(f'leader_election_master_status{{name="{NAME}"}}') == 1

    @property
    def certificate(self):
        """What it serves, in PEM."""
        try:
            return ssl.get_server_certificate((self.address, self.port), timeout=10)
        except OSError:
            return None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """In good order. Returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    def text(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()


class Endpoints(threading.Thread):
    """Does what a kubelet's probes and the endpoints' controller do: whoever is ready, is called."""

    def __init__(self, connection, replicas):
        super().__init__(daemon=True)
        self._connection = connection
        self._replicas = replicas
        self._written = None
        self._rounds = 0
        self._lasts = True
        self.failures = []

    def run(self):
        while self._lasts:
            try:
                self._look()
            except Exception as error:  # told by whoever waits for it
                self.failures.append(repr(error))
            self._rounds += 1
            time.sleep(0.1)

    def end(self):
        self._lasts = False
        self.join()

    def _look(self):
        ready = [one for one in self._replicas() if one.is_ready]
        subsets = [{
            "addresses": [{"ip": one.address}],
            "ports": [{"name": "webhook", "port": one.port, "protocol": "TCP"},
                      {"name": "metrics", "port": one.health_port, "protocol": "TCP"}]}
            for one in ready]
        if subsets == self._written:
            return
        body = {"apiVersion": "v1", "kind": "Endpoints",
                "metadata": {"name": NAME, "namespace": support.NAMESPACE}, "subsets": subsets}
        if self._connection.found(ENDPOINTS) is None:
            self._connection.call("POST", ENDPOINTS.rsplit("/", 1)[0], body)
        else:
            self._connection.call("PUT", ENDPOINTS, body)
        self._written = subsets

    def seen(self):
        """Waits until everybody has been looked at again."""
        until = self._rounds + 2
        while self._rounds < until:
            time.sleep(0.02)
