#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""10,000 short connections, served and refused, leave descriptors, memory
and registry as they were."""

import lt

VISITS = 10_000 if not lt.under_sanitizer() else 2_000
ROOM = 2 << 20  # what memory may grow by in one process

server = lt.Server(workers=2)


def canned(conn):
    conn.recv(65536)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                 b"Connection: close\r\n\r\nhi")


local = lt.Listener(canned)
client = lt.Client(server, local.port, name="demo")


def visit(i):
    if i % 10 == 0:
        assert lt.get(server, "nobody").status == 404
    elif i % 10 == 1:
        lt.Visitor(server).close()
    elif i % 10 == 2:
        with lt.Visitor(server) as visitor:
            visitor.send("GET / HT").reset()
    else:
        assert lt.get(server, "demo").body == b"hi"


def quiet():
    """The gauges once nobody is served."""
    names = ("tunnels", "sessions", "half_made", "parked", "queued", "idle",
             "joined")
    return {name: server.metrics()[name] for name in names}


for i in range(500):
    visit(i)
rest = {"tunnels": 1, "sessions": 2, "half_made": 0, "parked": 0,
        "queued": 0, "idle": 10, "joined": 0}
lt.wait_until(lambda: quiet() == rest, what=f"{quiet()} is {rest}")
# The client forks a worker for the second session only, after it has said
# its URL; with the pools of both filled it is there.
pids = [server.pid, client.pid, *client.workers(), *server.workers()]
fds = [lt.fd_count(pid) for pid in pids]
memory = [lt.rss(pid) for pid in pids]
for i in range(VISITS):
    visit(i)
lt.wait_until(lambda: quiet() == rest, what=f"{quiet()} is {rest}")
# Pages said to the last visitors may still be draining.
lt.wait_until(lambda: all(
    lt.fd_count(pid) <= n for pid, n in zip(pids, fds)))
if not lt.under_sanitizer():
    for pid, before in zip(pids, memory):
        assert lt.rss(pid) - before < ROOM, (pid, lt.rss(pid), before)
after = [server.pid, client.pid, *client.workers(), *server.workers()]
assert pids == after, (pids, after)
