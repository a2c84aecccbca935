#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""100 visitors of a read 1 KB a second of a download of 20 MB each: what they
do not read waits in the service, memory stays flat, what they do get is right,
and everybody else is served as before."""

import socket
import time

import ledger
from ledger import lt

READERS = 30 if ledger.QUICK else 100
SECONDS = 4 if ledger.QUICK else 30
LENGTH = 20 << 20


def bytes_of(path):
    """What a reader gets: a block of his own again and again."""
    return ledger.content(path, ledger.BLOCK)


def pours(conn):
    """A download as fast as it is taken."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    words = conn.recv(65536).split()
    if words:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LENGTH)
        for _ in range(LENGTH // ledger.BLOCK):
            conn.sendall(bytes_of(words[1].decode()))


def begin(number):
    visitor = lt.Visitor(rig.server)
    # The kernel's memory is everybody's: what these hold is not the matter.
    visitor.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    visitor.send(lt.request(rig.server.host("a"), f"/slow{number}"))
    while visitor.file.readline() not in (b"\r\n", b""):
        pass
    return visitor


def slowest(since):
    times = sorted(t.ended - t.begun for t in rig.trials
                   if t.kind == "get" and t.begun > since)
    return times[int(len(times) * 0.99)]


rig = ledger.Rig(options={"pool-idle-max": 64})
with rig.traffic():
    time.sleep(2)
    usual = slowest(rig.began)
rig.services["a"].handler = pours
got = [b""] * READERS
with rig.traffic("b"):
    readers = [begin(n) for n in range(READERS)]
    memory = [lt.rss(pid) for pid in rig.processes()]
    begun = ledger.now()
    for _ in range(SECONDS):
        for n, visitor in enumerate(readers):
            got[n] += visitor.read(1024)
        time.sleep(1)
    grown = [lt.rss(pid) - m for pid, m in zip(rig.processes(), memory)]
    now = slowest(begun)
    for visitor in readers:
        visitor.close()
rig.services["a"].handler = rig.services["a"].serve
for n, data in enumerate(got):
    assert len(data) == SECONDS * 1024, (n, len(data))
    assert data == bytes_of(f"/slow{n}")[:len(data)], n
if not lt.under_sanitizer():
    assert max(grown) < ledger.ROOM, grown
rig.judge()
print(f"memory grew by {max(grown) >> 10} KB at most; p99 of the others "
      f"{usual * 1000:.0f} ms before, {now * 1000:.0f} ms meanwhile")
