#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A visit costs no more system calls than it has to: they are counted with
strace(1), not timed. Whoever saves some lowers the limits here.

Waits are left out: how often somebody waits depends on how long others take.
"""

import os
import re
import shutil
import signal
import subprocess

import lt

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

if not shutil.which("strace"):
    lt.skip("strace is not installed")
if lt.under_sanitizer():
    lt.skip("a sanitizer makes system calls of its own")


class Counter:
    """Counts the system calls of one process."""

    def __init__(self, name, pid):
        self.path = f"{lt.tmp}/strace.{name}"
        self.pid = pid
        with open(self.path + ".log", "wb") as log:
            self.strace = subprocess.Popen(
                ["strace", "-c", "-U", "name,calls", "-o", self.path, "-p",
                 str(pid)], stdout=log, stderr=log)
        lt.wait_until(lambda: self.is_attached()
                      or self.strace.poll() is not None, what="strace")
        if self.strace.poll() is not None:
            with open(self.path + ".log", encoding="utf-8") as log:
                lt.skip("strace cannot attach: " + log.read().strip())

    def is_attached(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            tracer = re.search(r"^TracerPid:\s*(\d+)", f.read(), re.M)
        return int(tracer.group(1)) != 0

    def stop(self):
        """The calls by name, without waits."""
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait(lt.PATIENCE)
        with open(self.path, encoding="ascii") as f:
            found = {name: int(n) for name, n in
                     re.findall(r"^(\w+)\s+(\d+)$", f.read(), re.M)}
        os.unlink(self.path)
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
    counters = {side: Counter(side, pid) for side, pid in PIDS.items()}
    for _ in range(n):
        visit()
    for side, counter in counters.items():
        calls = counter.stop()
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
