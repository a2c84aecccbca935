#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Workers that stand still. Nobody is handed to one while there is another;
the master ends it and has another one take its place; tunnels of other workers
do not notice. When all were stopped, as when a machine sleeps, nobody is
ended."""

import re
import time

import lt

STOP, CONT = lt.signal.SIGSTOP, lt.signal.SIGCONT
STILL_S = 3  # longer than what makes others leave a worker alone
WATCHDOG_S = 5


def start(**options):
    server = lt.Server(workers=2, options=options)
    lt.wait_until(lambda: server.log().count("is ready") == 2)
    return server


def owners(server, name):
    """The workers that have sessions of a tunnel."""
    return {int(pid) for pid in re.findall(
        rf"ltserver\[(\d+)\].*: session started tunnel={name} ", server.log())}


def visit(server, name, n=20):
    for _ in range(n):
        assert lt.get(server, name).status == 200


# A tunnel with a session in each worker: the other one serves them all.
server = start(watchdog=0)
client = lt.Client(server, lt.Service(), name="both")
lt.wait_until(lambda: len(owners(server, "both")) == 2)
still = server.workers()[0]
lt.kill(still, STOP)
time.sleep(STILL_S)
visit(server, "both")
newcomer = lt.Client(server, lt.Service(), "--no-reconnect", name="newcomer")
visit(server, "newcomer")
assert "stands still" not in server.log()
lt.kill(still, CONT)
visit(server, "both")
assert len(server.workers()) == 2
for c in client, newcomer:
    c.stop()
server.stop()

# Two tunnels, each in a worker of its own.
server = start(watchdog=WATCHDOG_S, sessions=1)
clients = {name: lt.Client(server, lt.Service(), name=name)
           for name in ("left", "right")}
(left,), (right,) = (owners(server, name) for name in clients)
assert left != right
before = clients["right"].log()
lt.kill(left, STOP)
with lt.Visitor(server) as kept:
    while "stands still: ended" not in server.log():
        visit(server, "right", 1)
        assert kept.request(server.host("right")).status == 200
    lt.wait_until(lambda: not lt.exists(left))
    lt.kill(left, CONT)
    lt.wait_until(lambda: server.log().count("is ready") == 3)
    lt.wait_until(lambda: lt.get(server, "left").status == 200)
    assert kept.request(server.host("right")).status == 200
assert clients["right"].log() == before, clients["right"].log()
assert len(server.workers()) == 2 and right in server.workers()
assert server.metrics()["tunnels"] == 2

# All of them stop, and go on.
before = server.workers()
said = server.log().count("stands still")
for pid in [server.pid, *before]:
    lt.kill(pid, STOP)
time.sleep(2 * WATCHDOG_S)
for pid in [server.pid, *before]:
    lt.kill(pid, CONT)
for name in clients:
    lt.wait_until(lambda: lt.get(server, name).status == 200)
time.sleep(STILL_S)
assert server.workers() == before
assert server.log().count("stands still") == said
