# SPDX-License-Identifier: ISC
"""A client and a server of the HTTP API of the Node.js localtunnel, in threads
of the test. They share nothing with our sources, and behave as those of npm do
on the wire.

The client asks for a tunnel, opens as many connections to the port as it was
told, says nothing on them, and replaces each that ends at once. What comes
goes to the local service.

The server gives each tunnel a port of its own, and another name where one is
taken; it drops a tunnel that has no connection for a while; and it uses a
connection for one visitor after the other as long as it is kept alive."""

import json
import re
import socket
import threading
import time

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


# --- the server -------------------------------------------------------------

NAME = re.compile(r"^/(?:[a-z0-9][a-z0-9-]{4,63}[a-z0-9]|[a-z0-9]{4,63})$")
BAD_NAME = "Invalid subdomain. Subdomains must be lowercase and between 4 " \
    "and 63 alphanumeric characters."


class Tunnel:
    """Connections of its client: idle ones wait in pool, `open` counts all,
    `most` is the largest number there was, `connects` all that ever came."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.changed = threading.Condition()
        self.pool = []
        self.all = set()
        self.connects = self.most = 0
        self.closed = False
        self.empty_since = time.monotonic()
        threading.Thread(target=self._accept, daemon=True).start()
        threading.Thread(target=self._expire, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connects += 1
            with self.changed:
                if self.closed or len(self.all) >= self.server.accepts:
                    conn.close()
                    continue
                self.all.add(conn)
                self.most = max(self.most, len(self.all))
                self.pool.append(conn)
                self.changed.notify_all()

    def _expire(self):
        """Notices idle connections that end, and goes when none is left."""
        while not self.closed:
            with self.changed:
                for conn in [*self.pool]:
                    if _has_ended(conn):
                        self.pool.remove(conn)
                        self._forget(conn)
                if not self.all and time.monotonic() - self.empty_since \
                        > self.server.grace:
                    self.server.drop(self)
            time.sleep(0.02)

    def _forget(self, conn):
        _close(conn)
        self.all.discard(conn)
        self.empty_since = time.monotonic()

    def take(self):
        """An idle connection; waits for one."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: self.pool or self.closed, PATIENCE) and self.pool
            return self.pool.pop(0)

    def put(self, conn):
        """One that is kept alive goes back."""
        with self.changed:
            self.pool.append(conn)
            self.changed.notify_all()

    def end(self, conn):
        with self.changed:
            self._forget(conn)

    def close(self):
        self.closed = True
        with self.changed:
            _close(self.listener)
            for conn in self.all:
                _close(conn)
            self.all.clear()
            self.pool.clear()
            self.changed.notify_all()


def _close(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


def _has_ended(conn):
    try:
        return conn.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _read_head(file):
    """The lines of a head, without their ends; None at the end."""
    lines = []
    while (line := file.readline()) not in (b"\r\n", b""):
        lines.append(line.rstrip(b"\r\n").decode("latin-1"))
    return lines or None


def _fields(lines):
    """Names in lower case, and values."""
    return [(name.lower(), value.strip()) for name, _, value in
            (line.partition(":") for line in lines)]


class _Wire:
    """A connection of the client, to read answers from."""

    def __init__(self, conn):
        self.file = conn.makefile("rb")

    read_response = Visitor.read_response


class NodeServer:
    """max_conns is what clients are told, accepts how many connections of a
    tunnel there may be. answers has bytes to send in place of the usual
    answer, by path, "*" for all; extra is put into each usual one. asked has
    the paths of all requests to the base domain, logins what each had in
    Authorization; names the random ones to
    come. With a context it speaks TLS."""

    def __init__(self, max_conns=10, accepts=None, port=0, grace=1.0,
                 extra=None, context=None):
        self.domain = "localhost"
        self.max_conns, self.accepts = max_conns, accepts or max_conns
        self.grace, self.extra, self.context = grace, extra or {}, context
        self.answers = {}
        self.asked, self.tunnels, self.all = [], {}, []
        self.logins = []
        self.names = (f"tiny-mule-{i}" for i in range(10, 10000))
        self.lock = threading.RLock()
        self.conns = set()
        self.open(port)

    def open(self, port=0):
        """Listens, again after close() too."""
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.address = ("127.0.0.1", self.port)
        self.scheme = "https" if self.context else "http"
        self.url = f"{self.scheme}://{self.domain}:{self.port}"
        threading.Thread(target=self._accept, args=(self.listener,),
                         daemon=True).start()

    def host(self, name):
        return f"{name}.{self.domain}:{self.port}"

    def drop(self, tunnel):
        with self.lock:
            tunnel.close()
            if self.tunnels.get(tunnel.name) is tunnel:
                del self.tunnels[tunnel.name]

    def close(self):
        """As if its process had ended."""
        _close(self.listener)
        with self.lock:
            for tunnel in [*self.tunnels.values()]:
                self.drop(tunnel)
            for conn in self.conns:
                _close(conn)

    def _accept(self, listener):
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(conn,),
                             daemon=True).start()

    def _run(self, conn):
        try:
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True)
            self.conns.add(conn)
            self._serve(conn, conn.makefile("rb"))
        except (OSError, AssertionError):
            pass
        finally:
            self.conns.discard(conn)
            _close(conn)

    def _serve(self, conn, file):
        while head := _read_head(file):
            fields = _fields(head[1:])
            host = dict(fields)["host"].rpartition(":")[0]
            if host == self.domain:
                self.logins.append(dict(fields).get("authorization"))
                conn.sendall(self._answer(head[0].split()[1]))
                return
            tunnel = self.tunnels.get(host.rpartition(".")[0])
            if tunnel is None:
                conn.sendall(page(404, b"404"))
                return
            body = file.read(int(dict(fields).get("content-length", 0)))
            if "upgrade" in dict(fields):
                self._upgrade(conn, tunnel, head)
                return
            self._visit(conn, tunnel, head[0], fields, body)

    def _visit(self, conn, tunnel, line, fields, body):
        """One request over a connection of the client, which is kept if the
        local service keeps it. Names come in lower case."""
        remote = tunnel.take()
        kept = [(n, v) for n, v in fields if n != "connection"]
        remote.sendall("\r\n".join(
            [line, *(f"{n}: {v}" for n, v in kept), "connection: keep-alive",
             "", ""]).encode("latin-1") + body)
        answer = _Wire(remote).read_response(line.split()[0])
        if answer is None:
            tunnel.end(remote)
            conn.sendall(page(502, b"no answer"))
            return
        if (answer.header("connection") or "").lower() == "close":
            tunnel.end(remote)
        else:
            tunnel.put(remote)
        conn.sendall(page(answer.status, answer.body, [
            (n, v) for n, v in answer.headers if n.lower() not in (
                "content-length", "transfer-encoding", "connection")]))

    def _upgrade(self, conn, tunnel, head):
        remote = tunnel.take()
        remote.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
        back = threading.Thread(target=_copy, args=(remote, conn), daemon=True)
        back.start()
        _copy(conn, remote)
        back.join()
        tunnel.end(remote)

    def _answer(self, path):
        with self.lock:
            self.asked.append(path)
            special = self.answers.get(path, self.answers.get("*"))
            if special is not None:
                return special
            if path == "/":
                return page(302, b"", [("Location", "https://example.com/")])
            if path.partition("=")[0] != "/?new" and "/" in path[1:]:
                return page(404, b"Not Found")
            if not path.startswith("/?new") and not NAME.match(path):
                return page(403, json.dumps({"message": BAD_NAME}).encode())
            name = path[1:]
            if path.startswith("/?new") or name in self.tunnels:
                name = next(self.names)
            tunnel = self.tunnels[name] = Tunnel(self, name)
            self.all.append(tunnel)
            return page(200, json.dumps({
                "id": name, "port": tunnel.port,
                "max_conn_count": self.max_conns,
                "url": f"{self.scheme}://{self.host(name)}",
                **self.extra}).encode(), [("Content-Type",
                                           "application/json")])


def page(status, body, headers=()):
    """The bytes of an answer."""
    return "\r\n".join(
        [f"HTTP/1.1 {status} x", *(f"{n}: {v}" for n, v in headers),
         f"Content-Length: {len(body)}", "Connection: keep-alive", "",
         ""]).encode() + body
