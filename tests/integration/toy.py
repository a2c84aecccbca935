# SPDX-License-Identifier: ISC
"""Toy local services, and the bytes they send. They run in threads of the
test itself."""

import hashlib
import http.server
import json
import random
import socket
import socketserver
import struct
import threading
import time

_BLOCK = 65536


def blocks(length, seed=1):
    """Pseudo-random bytes, always the same ones."""
    source = random.Random(seed)
    while length > 0:
        yield source.randbytes(_BLOCK)[:length]
        length -= _BLOCK


def stream(length, seed=1):
    return b"".join(blocks(length, seed))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def sha256_of(length, seed=1):
    """The hash of stream(length, seed), without holding it."""
    digest = hashlib.sha256()
    for block in blocks(length, seed):
        digest.update(block)
    return digest.hexdigest()


class Listener:
    """A local service of raw bytes: handler(socket) runs in a thread for
    each connection, which is closed after it."""

    def __init__(self, handler=None, host="127.0.0.1", port=0):
        self.handler = handler or echo
        self.accepted = 0
        self.socket = socket.create_server((host, port), backlog=1024)
        self.port = self.socket.getsockname()[1]
        self.target = f"{host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(conn,),
                             daemon=True).start()

    def _serve(self, conn):
        with conn:
            try:
                self.handler(conn)
            except OSError:
                pass

    def close(self):
        """Connections are refused from now on."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def echo(conn):
    """Sends back what comes, until the end."""
    while data := conn.recv(_BLOCK):
        conn.sendall(data)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    def address_string(self):
        return "-"

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            return
        left = int(self.headers.get("Content-Length", 0))
        while left and (data := self.rfile.read(min(left, _BLOCK))):
            left -= len(data)
            yield data

    def answer(self):
        """Any method. The path says what the answer is:
        /bytes/N, /chunked/N   stream(N), with Content-Length or in chunks
        /slow/SECONDS          the usual answer, but later
        /drip/N/SECONDS        N bytes with that pause before each
        /status/CODE           that status, without a body
        /close, /reset         no answer
        Upgrade: echo          101, then every byte comes back
        anything else          the request as JSON."""
        service = self.server.service
        digest, length = hashlib.sha256(), 0
        for data in self._body():
            digest.update(data)
            length += len(data)
        service.requests.append((self.command, self.path))
        words = self.path.split("?")[0].split("/")
        if self.headers.get("Upgrade", "").lower() == "echo":
            return self._echo()
        action = getattr(self, "_" + words[1], None) if len(words) > 2 \
            or words[1] in ("close", "reset") else None
        if action and action(*words[2:]):
            return None
        return self._send(200, json.dumps({
            "service": service.name, "method": self.command,
            "path": self.path, "headers": self.headers.items(),
            "body_len": length, "body_sha256": digest.hexdigest(),
        }).encode(), "application/json")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer
    do_PATCH = answer

    def _send(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _bytes(self, length):
        self.send_response(200)
        self.send_header("Content-Length", length)
        self.end_headers()
        for block in blocks(int(length)):
            self.wfile.write(block)
        return True

    def _chunked(self, length):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for block in blocks(int(length)):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
        self.wfile.write(b"0\r\n\r\n")
        return True

    def _slow(self, seconds):
        time.sleep(float(seconds))

    def _drip(self, length, seconds):
        self.send_response(200)
        self.send_header("Content-Length", length)
        self.end_headers()
        for byte in stream(int(length)):
            time.sleep(float(seconds))
            self.wfile.write(bytes([byte]))
        return True

    def _status(self, code):
        self._send(int(code), b"")
        return True

    def _close(self):
        self.close_connection = True
        return True

    def _reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()
        self.close_connection = True
        return True

    def _echo(self):
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "echo")
        self.end_headers()
        while data := self.rfile.read1(_BLOCK):
            self.wfile.write(data)
        self.close_connection = True


class _HandlerUnix(_Handler):
    disable_nagle_algorithm = False


class _Http(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass


class _HttpUnix(_Http):
    address_family = socket.AF_UNIX

    def get_request(self):
        return self.socket.accept()[0], ("unix", 0)


class Service:
    """A toy web service; _Handler.answer says what it answers. requests has
    what came, as (method, path). unix is the path of a Unix socket to listen on
    instead of host and port."""

    def __init__(self, name="toy", port=0, host="127.0.0.1", unix=None):
        self.name = name
        self.requests = []
        self.http = _HttpUnix(unix, _HandlerUnix) if unix else \
            _Http((host, port), _Handler)
        self.http.service = self
        self.port = None if unix else self.http.server_address[1]
        self.target = f"unix:{unix}" if unix else f"{host}:{self.port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,),
                         daemon=True).start()

    def close(self):
        """Connections are refused from now on."""
        self.http.shutdown()
        self.http.server_close()
