#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A visit costs no more system calls than it has to: they are counted with
strace(1), not timed. Whoever saves some lowers the limits here.

Waits are left out: how often somebody waits depends on how long others take.
"""

import re

import lt
from tracer import Tracer

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# Two reads and two writes, in each program.
KEPT_ALIVE = {"server": 4.0, "client": 4.0}

# A new visitor, and the proxy connection that takes the place of his. In the
# server it is one fewer for him if his first bytes are there by the time that
# he is accepted. One in the server and three in the client hold back
# acknowledgements, each of which costs ten times as much as that call.
NEW = {"server": 20.0, "client": 22.0}

# What is not a visit: heartbeats are off, but memory grows at times.
SLACK = 0.5


def calls_of(tracer):
    """How many there were by name, without waits."""
    found = {name: int(n) for name, n in
             re.findall(r"^(\w+)\s+(\d+)$", tracer.stop(), re.M)}
    return {name: n for name, n in found.items()
            if name != "total" and not name.startswith("epoll_wait")
            and not name.startswith("epoll_pwait")}


def answer_all(conn):
    """Each request comes in one piece here, and goes out in one."""
    while conn.recv(65536):
        conn.sendall(ANSWER)


server = lt.Server(workers=1, options={"heartbeat": 3600,
                                       "log-level": "info"})
# By name it may be at ::1, too, where it is not: only the first visitor is to
# find that out.
client = lt.Client(server, f"localhost:{lt.Listener(answer_all).port}",
                   name="demo")
PIDS = {"server": server.workers()[0], "client": client.pid}


def count(what, limits, n, visit):
    """Counts while visit() is called n times. What the last one leaves to be
    done may be missed, so this can only be too little."""
    # What is made once is made by the first one.
    visit()
    settle()
    tracers = {side: Tracer(pid, "-c", "-U", "name,calls")
               for side, pid in PIDS.items()}
    for _ in range(n):
        visit()
    for side, tracer in tracers.items():
        calls = calls_of(tracer)
        each = sum(calls.values()) / n
        table = ", ".join(f"{name} {calls[name] / n:.2f}"
                          for name in sorted(calls, key=calls.get)[::-1])
        print(f"{what}, {side}: {each:.2f} ({table})")
        assert each <= limits[side] + SLACK, \
            f"{what}: {each:.2f} system calls of the {side}, {limits[side]} " \
            f"at most"


def settle():
    """Waits until all visitors are gone and the pool is full again."""
    def is_quiet():
        metrics = server.metrics()
        return metrics["joined"] == held and metrics["idle"] >= 10
    lt.wait_until(is_quiet, what="rest")


def get(visitor, close=False):
    headers = {"Connection": "close"} if close else {}
    assert visitor.request(server.host("demo"),
                           headers=headers).body == b"ok"


def new_visitor():
    with lt.Visitor(server) as visitor:
        get(visitor, close=True)


held = 0
count("a new visitor", NEW, 50, new_visitor)
with lt.Visitor(server) as kept:
    get(kept)
    held = 1
    count("a request kept alive", KEPT_ALIVE, 200, lambda: get(kept))
