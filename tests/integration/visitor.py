# SPDX-License-Identifier: ISC
"""Visitors: connections that send exact bytes, and whole requests."""

import http.client
import json
import socket
import struct
import time

from toy import sha256

PATIENCE = 30  # seconds until an answer counts as never coming


class Response:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.body = status, reason, body
        self.headers = headers  # of (name, value)

    def header(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def seen(self, name):
        """The values of a request header as the toy service got them."""
        return [v for n, v in self.json()["headers"]
                if n.lower() == name.lower()]

    @property
    def sha256(self):
        return sha256(self.body)


class Visitor:
    """A connection of raw bytes; a with statement closes it."""

    def __init__(self, server, timeout=PATIENCE, source=None):
        self.socket = socket.create_connection(
            getattr(server, "address", server), timeout, source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def reset(self):
        """Closes it with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def send_slowly(self, data, pause=0.001):
        """One byte at a time."""
        for byte in data.encode() if isinstance(data, str) else data:
            self.socket.sendall(bytes([byte]))
            time.sleep(pause)
        return self

    def shut(self):
        """Says that nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def read(self, length):
        """Exactly so many bytes, fewer only at the end."""
        return self.file.read(length)

    def read_all(self):
        return self.file.read()

    def read_response(self, method="GET"):
        """One answer; None if the connection ends without a byte of it."""
        if not self.file.peek(1):
            return None
        reply = http.client.HTTPResponse(_Kept(self.file), method=method)
        reply.begin()
        return Response(reply.status, reply.reason, reply.getheaders(),
                        reply.read())

    def request(self, host, path="/", method="GET", headers=(), body=None):
        """Sends a request and returns the answer."""
        self.send(request(host, path, method, headers, body))
        return self.read_response(method)


class _Kept:
    """A socket to HTTPResponse, which may close only what it was given."""

    def __init__(self, file):
        self.makefile = lambda _: self
        self.close = self.flush = lambda: None
        for name in ("read", "read1", "readinto", "readline", "peek"):
            setattr(self, name, getattr(file, name))


def request(host, path="/", method="GET", headers=(), body=None):
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in dict(headers).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode() + (body or b"")


def get(server, name, path="/", **request_args):
    """One request to a tunnel on a connection of its own; name may be a
    whole host too."""
    host = name if "." in name or ":" in name else server.host(name)
    with Visitor(server) as visitor:
        return visitor.request(host, path, **request_args)
