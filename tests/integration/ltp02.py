# SPDX-License-Identifier: ISC
"""A client and a server that speak LTP/0.2 and nothing newer.

They share nothing with the sources under test, and behave as programs of
that version do, their habits included: the client breaks if the reply has no
banner and takes nothing but a ping after it; the server dies of a key that it
does not know inside a request, ignores one beside it, hands out the newest
idle connection, and answers a name conflict by closing.
"""

import json
import re
import socket
import struct
import threading
import time

HEADER = b"LTP/0.2"
CLIENT = "somebody@laptop;Linux"
IDLE_MAX = 3
VISITOR_WAIT = 2


class Refused(Exception):
    """An error reply: code and message; both None for a bare end."""

    def __init__(self, code=None, message=None):
        super().__init__(code, message)
        self.code, self.message = code, message


def frame(message):
    """A message as it goes over the wire."""
    data = json.dumps(message).encode()
    return struct.pack(">I", len(data)) + data


def read_exactly(conn, length):
    """So many bytes; None if the connection ends before."""
    data = b""
    while len(data) < length:
        more = conn.recv(length - len(data))
        if not more:
            return None
        data += more
    return data


def read_frame(conn):
    """The next message and not one byte more; None at the end."""
    head = read_exactly(conn, 4)
    data = head and read_exactly(conn, struct.unpack(">I", head)[0])
    return json.loads(data) if data else None


def connect(address, message, source=None):
    """A connection that has sent header and first message; source is the
    address it comes from."""
    conn = socket.create_connection(address, 30, source and (source, 0))
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn.sendall(HEADER + frame(message))
    return conn


def open_control(address, name, client=CLIENT, source=None, **keys):
    """A control connection: (socket, what the reply has under control)."""
    conn = connect(address, {"control": {"name": name, "client": client,
                                         **keys}}, source)
    reply = read_frame(conn)
    if reply is None or "error" in reply:
        conn.close()
        raise Refused(*([reply["error"], reply["message"]] if reply else []))
    return conn, reply["control"]


def open_proxy(address, name, client=CLIENT, source=None):
    """A proxy connection that is not joined yet."""
    return connect(address, {"proxy": {"name": name, "client": client}},
                   source)


def pump(a, b):
    """Joins two connections; the end of either one closes both."""
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for conn in (a, b):
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
    for conn in (a, b):
        conn.settimeout(None)
    thread = threading.Thread(target=copy, args=(a, b), daemon=True)
    thread.start()
    copy(b, a)
    thread.join()
    a.close()
    b.close()


class OldClient:
    """A client; Refused if the name is. It serves until closed is set."""

    def __init__(self, address, name, target, client=CLIENT, **keys):
        self.address = getattr(address, "address", address)
        self.name, self.client = name, client
        self.target = getattr(target, "port", target)
        self.pings = 0
        self.joined = 0
        self.errors = []  # error replies to proxy connections
        self.answer_pings = True
        self.closed = threading.Event()
        self.control, self.reply = open_control(
            self.address, name, client, **keys)
        self.host = self.reply["host"]
        self.banner = self.reply["banner"]
        self.slots = threading.Semaphore(self.reply["concurrency"])
        self.idle = set()
        for loop in (self._answer_pings, self._fill):
            threading.Thread(target=loop, daemon=True).start()

    def _answer_pings(self):
        self.control.settimeout(None)
        try:
            while (message := read_frame(self.control)) is not None:
                assert message == {"control": "ping"}, message
                self.pings += 1
                if self.answer_pings:
                    self.control.sendall(frame({"control": "pong"}))
        except OSError:
            pass
        self.close()

    def _fill(self):
        while True:
            self.slots.acquire()
            if self.closed.is_set():
                return
            threading.Thread(target=self._proxy, daemon=True).start()

    def _proxy(self):
        conn = None
        try:
            conn = open_proxy(self.address, self.name, self.client)
            conn.settimeout(None)
            self.idle.add(conn)
            reply = read_frame(conn)
            self.idle.discard(conn)
        except OSError:
            reply = None
        if reply != {"proxy": True}:
            if reply:
                self.errors.append(reply)
            time.sleep(0.1)
            self.slots.release()
            return
        self.slots.release()
        self.joined += 1
        try:
            local = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            conn.close()
            return
        pump(conn, local)

    def close(self):
        """Ends as the program would: all its connections with it."""
        self.closed.set()
        self.slots.release()
        for conn in [self.control, *self.idle]:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class _Tunnel:
    def __init__(self, client, control):
        self.client, self.control = client, control
        self.pool = []
        self.changed = threading.Condition()
        self.alive = True


class OldServer:
    """A server with its two ports: visitors and /meta at port, clients at
    backend. faults has every request that would have broken it."""

    def __init__(self, domain="localhost", heartbeat=5, ports=(0, 0)):
        self.domain = domain
        self.heartbeat = heartbeat
        self.tunnels = {}
        self.requests = []  # the first message of each backend connection
        self.faults = []
        self.pongs = 0
        self.conns = set()
        self.sockets = [self._listen(port, serve) for port, serve in
                        zip(ports, (self._visitor, self._backend))]
        self.port, self.backend = (
            s.getsockname()[1] for s in self.sockets)
        self.address = ("127.0.0.1", self.port)
        self.url = f"http://{domain}:{self.port}"

    def host(self, name):
        return f"{name}.{self.domain}:{self.port}"

    def _listen(self, port, serve):
        listener = socket.create_server(("127.0.0.1", port), backlog=128)

        def accept():
            while True:
                try:
                    conn, _ = listener.accept()
                except OSError:
                    return
                self.conns.add(conn)
                threading.Thread(target=run, args=(conn,),
                                 daemon=True).start()

        def run(conn):
            try:
                serve(conn)
            except OSError:
                pass
            finally:
                self.conns.discard(conn)

        threading.Thread(target=accept, daemon=True).start()
        return listener

    def close(self):
        """Ends as the program would: all connections with it."""
        for conn in [*self.sockets, *self.conns]:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            conn.close()

    # Clients.

    def _backend(self, conn):
        if read_exactly(conn, len(HEADER)) != HEADER:
            conn.close()
            return
        message = read_frame(conn)
        self.requests.append(message)
        kind = "control" if "control" in (message or {}) else "proxy"
        request = (message or {}).get(kind)
        allowed = {"name", "client"} | (
            {"protect", "domain"} if kind == "control" else set())
        if not isinstance(request, dict) or not request.get("name") or \
                not {"name", "client"} <= set(request) <= allowed:
            self.faults.append(message)
            conn.close()
        elif kind == "control":
            self._control(conn, request)
        else:
            self._proxy(conn, request)

    def _control(self, conn, request):
        name = request["name"]
        old = self.tunnels.get(name)
        if old and old.client != request["client"]:
            conn.close()
            return
        if old:
            self._destroy(name, old)
        tunnel = self.tunnels[name] = _Tunnel(request["client"], conn)
        conn.sendall(frame({"control": {
            "host": self.host(name), "concurrency": IDLE_MAX,
            "banner": "an old server"}}))
        try:
            while tunnel.alive:
                time.sleep(self.heartbeat)
                conn.sendall(frame({"control": "ping"}))
                conn.settimeout(5)
                if read_frame(conn) != {"control": "pong"}:
                    break
                self.pongs += 1
        except OSError:
            pass
        self._destroy(name, tunnel)
        conn.close()

    def _destroy(self, name, tunnel):
        tunnel.alive = False
        if self.tunnels.get(name) is tunnel:
            del self.tunnels[name]
        with tunnel.changed:
            for conn in tunnel.pool:
                conn.close()
            tunnel.pool.clear()

    def _proxy(self, conn, request):
        name = request["name"]
        tunnel = self.tunnels.get(name)
        if tunnel is None:
            self._error(conn, "expired", "This tunnel has expired")
        elif tunnel.client != request["client"]:
            conn.close()
        else:
            with tunnel.changed:
                if len(tunnel.pool) < IDLE_MAX:
                    tunnel.pool.append(conn)
                    tunnel.changed.notify()
                    return
            self._error(conn, "exception",
                        f'backend:"{name}" pool is full')

    @staticmethod
    def _error(conn, code, message):
        conn.sendall(frame({"error": code, "message": message}))
        conn.close()

    # Visitors.

    def _visitor(self, conn):
        head = b""
        while b"\r\n\r\n" not in head:
            more = conn.recv(65536)
            if not more:
                conn.close()
                return
            head += more
        match = re.search(rb"\r\nhost: ([^\r\n]+)\r\n", head, re.I)
        host = match.group(1).decode() if match else ""
        if host.split(":")[0] == self.domain:
            self._meta(conn, head)
            return
        name = host.partition("." + self.domain)[0].rpartition(".")[2]
        tunnel = self.tunnels.get(name)
        if tunnel is None:
            self._answer(conn, "410 Gone", f"No tunnel for {host}")
            return
        with tunnel.changed:
            tunnel.changed.wait_for(lambda: tunnel.pool, VISITOR_WAIT)
            proxy = tunnel.pool.pop() if tunnel.pool else None
        if proxy is None:
            self._answer(conn, "502 Bad Gateway", "No proxy connections")
            return
        proxy.sendall(frame({"proxy": True}) + head)
        pump(conn, proxy)

    def _meta(self, conn, head):
        path = head.split(b" ")[1].decode()
        text = {"/meta/backend": str(self.backend),
                "/meta/version": "0.6.1"}.get(path, "")
        self._answer(conn, "200 OK", text)

    @staticmethod
    def _answer(conn, status, text):
        conn.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n"
                     f"Connection: close\r\n\r\n{text}".encode())
        conn.close()
