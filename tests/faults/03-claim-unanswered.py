#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A worker is killed between its request to the master and the reply: the
master is stopped so that the reply cannot come, or not, and the worker dies at
some moment after a client has asked for a name. The name is free again, and
nobody sees half of it."""

import collections
import os
import random
import re
import signal
import time

import ledger
from ledger import lt, ltp02

ROUNDS = 20 if ledger.QUICK else 1000
WORKERS = 8
SPAN_S = 1.2  # a worker that dies sooner counts as one that dies at its start


def ask(name):
    """A client that asks for a name and does not wait for the answer."""
    return ltp02.connect(rig.server.address, {
        "control": {"name": name, "client": ltp02.CLIENT}})


def hears(conn):
    """What it hears before the end."""
    with conn:
        try:
            return ltp02.read_frame(conn)
        except ConnectionError:
            return None


def is_free(name):
    """True if somebody else gets it; the master may not have noticed yet."""
    try:
        ltp02.open_control(rig.server.address, name, "other@x;Y")[0].close()
        return True
    except ltp02.Refused:
        return False


def occupy(number):
    """A session for the worker that has none."""
    return ltp02.open_control(
        rig.server.address, f"busy{number}", ltp02.CLIENT)[0]


def wait_tunnels():
    lt.wait_until(lambda: rig.server.metrics()["tunnels"] == 2 + len(busy))


def wait_replacement(others):
    """Its process id, once it is ready."""
    (pid,) = lt.wait_until(lambda: set(rig.server.workers()) - others)
    lt.wait_until(lambda: rig.server.metrics()["workers"] == WORKERS)
    return pid


def play(number, pid):
    """One dies, and who takes its place is told apart."""
    others = set(rig.server.workers())
    if chance.random() < 0.7:
        os.kill(rig.server.pid, signal.SIGSTOP)
    conn = ask(f"name{number}")
    time.sleep(chance.uniform(0, 0.02))
    lt.kill(pid)
    os.kill(rig.server.pid, signal.SIGCONT)
    heard.append(hears(conn) is not None)
    killed.append(pid)
    fresh = wait_replacement(others)
    # It is free, for somebody else.
    lt.wait_until(lambda: is_free(f"name{number}"))
    wait_tunnels()
    return fresh


rig = ledger.Rig(workers=WORKERS, options={"grace-old": 0, "heartbeat": 60})
chance = random.Random(1)
killed, heard = [], []
# Who has no session is given the next one. So each of the others has one: it
# is known who will be asked, and each round it is another one.
conns = [occupy(i) for i in range(WORKERS - 2)]
pids = [int(re.search(rf"ltserver\[(\d+)\].* session started tunnel=busy{i} ",
                      rig.server.log())[1]) for i in range(WORKERS - 2)]
busy = collections.deque((conn, pid, 0) for conn, pid in zip(conns, pids))
owners = {rig.owner("a"), rig.owner("b")}
assert len(owners.union(pids)) == WORKERS
with rig.traffic():
    for number in range(ROUNDS):
        conn, pid, born = busy.popleft()
        conn.close()
        wait_tunnels()
        time.sleep(max(0, born + SPAN_S - ledger.now()))
        fresh = play(number, pid)
        busy.append((occupy(WORKERS + number), fresh, ledger.now()))
for conn, _, _ in busy:
    conn.close()
served = {id_ for _, id_, _ in rig.book}


def excused(trial):
    """Whom the dead one had accepted: no service knows him."""
    return trial.end.startswith("cut") and trial.id not in served


rig.judge(excused, died=killed,
          log={r"worker \d died pid=\d+ signal=9": ROUNDS})
assert not set(killed) & owners
assert set(rig.owners("a") + rig.owners("b")) == owners
print(f"{sum(heard)} of {ROUNDS} had been granted before")
