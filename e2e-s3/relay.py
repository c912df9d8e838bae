# SPDX-License-Identifier: Apache-2.0
"""Stands between the proxy and an upstream: keeps what goes to the upstream, and cuts what comes back."""
import socket
import threading
import urllib.parse

from servers import free_port


class Relay:
    """`sent`: all bytes of each connection towards the upstream. `cut_after`: bytes of an answer on each
    connection after which both ends are closed."""

    def __init__(self, endpoint):
        parts = urllib.parse.urlsplit(endpoint)
        self._to = parts.hostname, parts.port
        self.sent = []
        self.cut_after = None
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._to)
            except OSError:
                client.close()
                continue
            kept = bytearray()
            self.sent.append(kept)
            for source, sink, record in (client, server, kept), (server, client, None):
                threading.Thread(
                    target=self._forward, args=(source, sink, record), daemon=True).start()

    def _forward(self, source, sink, record):
        count = 0
        try:
            while data := source.recv(1 << 16):
                if record is not None:
                    record += data
                elif self.cut_after is not None:
                    data = data[: max(0, self.cut_after - count)]
                sink.sendall(data)
                count += len(data)
                if record is None and self.cut_after is not None and count >= self.cut_after:
                    break
            sink.shutdown(socket.SHUT_WR)
            if self.cut_after is not None:
                source.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def recorded(self):
        """As (where, bytes)."""
        return [(f"sent to the upstream on connection {number}", bytes(kept))
                for number, kept in enumerate(self.sent)]
