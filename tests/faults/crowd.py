#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A crowd of clients of LTP/0.2 in one process, which answers pings and does
nothing else:

    crowd.py PORT FIRST TUNNELS PROXIES SOURCE...

opens the tunnels n<FIRST>, n<FIRST+1> and so on, from these addresses in turn,
each with so many idle proxy connections, all as fast as the server takes them.
It says "granted N refused N idle N seconds S errors ..." once all have an
answer, and ends with its standard input."""

import json
import os
import resource
import select
import socket
import struct
import sys
import time

HEADER = b"LTP/0.2"
PONG = struct.pack(">I", 19) + b'{"control": "pong"}'
IP_BIND_ADDRESS_NO_PORT = 24
AT_ONCE = 1000  # that are not connected yet


def hello(kind, name):
    body = json.dumps({kind: {"name": name, "client": f"crowd-{name}"}})
    return HEADER + struct.pack(">I", len(body)) + body.encode()


class Crowd:
    def __init__(self, port, first, tunnels, proxies, sources):
        self.address = ("127.0.0.1", port)
        self.proxies = proxies
        self.epoll = select.epoll()
        self.conns = {}  # fd: (socket, kind, name, source)
        self.connecting, self.controls, self.ended = 0, {}, 0
        self.refused, self.idle, self.errors = 0, 0, set()
        self.waiting = [("control", f"n{first + i}", sources[i % len(sources)])
                        for i in reversed(range(tunnels))]
        self.tunnels = tunnels

    def open(self, kind, name, source):
        conn = socket.socket()
        conn.setblocking(False)
        # The port is chosen as it connects: then there are more of them.
        conn.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        conn.bind((source, 0))
        conn.connect_ex(self.address)
        self.conns[conn.fileno()] = (conn, kind, name, source)
        self.epoll.register(conn, select.EPOLLOUT)
        self.connecting += 1

    def turn(self, timeout):
        while self.waiting and self.connecting < AT_ONCE:
            self.open(*self.waiting.pop())
        for fd, what in self.epoll.poll(timeout):
            conn, kind, name, source = self.conns[fd]
            if what & select.EPOLLOUT:
                self.connecting -= 1
                try:
                    conn.send(hello(kind, name))
                except OSError as e:
                    self.end(fd, kind, name, repr(e))
                    continue
                self.epoll.modify(fd, select.EPOLLIN)
                self.idle += kind == "proxy"
            else:
                self.read(fd, conn, kind, name, source)

    def watch_input(self):
        """From now on the end of standard input ends all."""
        self.conns[0] = (None, "input", None, None)
        self.epoll.register(0, select.EPOLLIN)

    def read(self, fd, conn, kind, name, source):
        if kind == "input":
            os._exit(0)
        try:
            data = conn.recv(65536)
        except OSError as e:
            data = repr(e).encode()
        if b'"ping"' in data:
            conn.send(PONG)
        elif b'"host"' in data:
            self.controls[name] = fd
            self.waiting += [("proxy", name, source)] * self.proxies
        else:
            self.end(fd, kind, name, data[4:].decode(errors="replace"))

    def end(self, fd, kind, name, why):
        self.epoll.unregister(fd)
        self.conns.pop(fd)[0].close()
        if kind == "proxy":
            self.idle -= 1
        elif name in self.controls:
            self.ended += 1
        else:
            self.refused += 1
        self.errors.add(f"{kind}: {why}")

    def is_there(self):
        return len(self.controls) + self.refused == self.tunnels and \
            not self.waiting and not self.connecting

    def report(self, begun):
        print("granted", len(self.controls), "refused", self.refused, "idle",
              self.idle, "seconds", round(time.monotonic() - begun, 2),
              "errors", sorted(self.errors)[:5], flush=True)


def main():
    port, first, tunnels, proxies = map(int, sys.argv[1:5])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = Crowd(port, first, tunnels, proxies, sys.argv[5:])
    begun = time.monotonic()
    while not crowd.is_there():
        crowd.turn(1)
    crowd.report(begun)
    crowd.watch_input()
    while True:
        crowd.turn(60)


main()
