#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A visitor who does not read holds a download of 1 GiB: the memory of both
programs stays flat, and others are served. The same with an upload to a
local service that does not read. By splice, and by read and write."""

import socket
import threading

import lt

HUGE = 1 << 30
ROOM = 4 << 20  # what memory may grow by; a sanitizer's own needs more


def memory(server, client):
    pids = [client.pid, *client.workers(), server.pid, *server.workers()]
    return sum(lt.rss(pid) for pid in pids)


def stalls(count):
    """Waits until a number no longer changes."""
    last = [None, 0]

    def same():
        now = count()
        last[1] = last[1] + 1 if now == last[0] else 0
        last[0] = now
        return last[1] > 10
    lt.wait_until(same)
    return last[0]


sent = [0]


def pours(conn):
    conn.recv(65536)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % HUGE)
    block = b"x" * 65536
    try:
        while sent[0] < HUGE:
            sent[0] += conn.send(block)
    except OSError:
        pass


def sits(conn):
    conn.recv(1)
    done.wait()


done = threading.Event()
local, deaf = lt.Listener(pours), lt.Listener(sits)
server = lt.Server(workers=1)
client = lt.Client(server, local.port, name="pours")
client2 = lt.Client(server, deaf.port, name="sits")
service = lt.Service()
client3 = lt.Client(server, service, name="toy")
assert lt.get(server, "toy").status == 200
room = ROOM * (8 if lt.under_sanitizer() else 1)

before = memory(server, client)
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("pours")))
    visitor.read(1000)
    held = stalls(lambda: sent[0])
    assert held < HUGE // 2, held
    grown = memory(server, client) - before
    assert grown < room, grown
    assert lt.get(server, "toy").status == 200

before = memory(server, client2)
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("sits"), method="POST",
                            headers={"Content-Length": HUGE}))
    visitor.socket.settimeout(2)
    given = 0
    try:
        while True:
            given += visitor.socket.send(b"y" * 65536)
            assert given < HUGE // 2
    except (socket.timeout, BlockingIOError):
        pass
    grown = memory(server, client2) - before
    assert grown < room, grown
    assert lt.get(server, "toy").status == 200
done.set()
