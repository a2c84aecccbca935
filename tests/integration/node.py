# SPDX-License-Identifier: ISC
"""A client of the HTTP API of the Node.js localtunnel, in threads of the test.
It shares nothing with our sources, and behaves as the npm client does on the
wire: it asks for a tunnel, opens as many connections to the port as it was
told, says nothing on them, and replaces each that ends at once. What comes
goes to the local service."""

import json
import random
import socket
import threading

from visitor import PATIENCE, Visitor, request


def ask(server, path="/?new", **request_args):
    """Asks the base domain for anything; returns the answer."""
    with Visitor(server) as visitor:
        host = f"{server.domain}:{server.port}"
        visitor.send(request(host, path, **request_args))
        return visitor.read_response(request_args.get("method", "GET"))


def register(server, path="/?new", **request_args):
    """Opens a tunnel; returns what the server says about it."""
    answer = ask(server, path, **request_args)
    assert answer.status == 200, (answer.status, answer.body)
    return json.loads(answer.body)


def connect(tunnel, source="127.0.0.1"):
    """One connection to the port of a tunnel."""
    return socket.create_connection(("127.0.0.1", tunnel["port"]), PATIENCE,
                                    (source, 0))


def free_port():
    """A port of 127.0.0.1 that is free and never given out by the system."""
    while True:
        try:
            with socket.create_server(("127.0.0.1",
                                       random.randint(30000, 32767))) as s:
                return s.getsockname()[1]
        except OSError:
            pass


def is_closed(sock):
    """Waits for the end of a connection."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


class NodeClient:
    """wanted is how many connections it opens, whatever it was told. connects
    counts all that it has opened, open those that it has, most the largest
    number of those that were in use at one time."""

    def __init__(self, server, service, path="/?new", wanted=None):
        self.service = service
        self.tunnel = register(server, path)
        self.name = self.tunnel["id"]
        self.connects = self.open = self.busy = self.most = 0
        self.refused = False
        self.closed = False
        self.lock = threading.Lock()
        self.sockets = set()
        for _ in range(wanted or self.tunnel["max_conn_count"]):
            threading.Thread(target=self._slot, daemon=True).start()

    def _slot(self):
        """Keeps one connection, for ever."""
        while not self.closed:
            try:
                remote = connect(self.tunnel)
            except ConnectionRefusedError:
                self.refused = True
                return
            remote.settimeout(None)
            with self.lock:
                self.sockets.add(remote)
                self.connects += 1
                self.open += 1
            try:
                self._serve(remote)
            except OSError:
                pass
            with self.lock:
                self.sockets.discard(remote)
                self.open -= 1
            remote.close()

    def _serve(self, remote):
        data = remote.recv(65536)
        if not data:
            return
        with self.lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        try:
            with socket.create_connection(
                    ("127.0.0.1", self.service.port)) as local:
                local.sendall(data)
                back = threading.Thread(target=_copy, args=(local, remote),
                                        daemon=True)
                back.start()
                _copy(remote, local)
                back.join()
        finally:
            with self.lock:
                self.busy -= 1

    def close(self):
        """Ends as the npm client does: its connections end, and no word."""
        self.closed = True
        with self.lock:
            for sock in self.sockets:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def _copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
