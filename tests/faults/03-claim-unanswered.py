#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A worker is killed between its request to the master and the reply: the
master is stopped so that the reply cannot come, or not, and the worker dies at
some moment after a client has asked for a name. The name is free again, and
nobody sees half of it."""

import os
import random
import signal
import time

import ledger
from ledger import lt, ltp02

ROUNDS = 5 if ledger.QUICK else 60


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


rig = ledger.Rig(workers=3, options={"grace-old": 0})
chance = random.Random(1)
owners = {rig.owner("a"), rig.owner("b")}
killed, heard = [], []
with rig.traffic():
    for i in range(ROUNDS):
        # Who has no session is given the next one.
        pid = next(p for p in rig.server.workers() if p not in owners)
        stopped = chance.random() < 0.7
        if stopped:
            os.kill(rig.server.pid, signal.SIGSTOP)
        conn = ask(f"name{i}")
        time.sleep(chance.uniform(0, 0.02))
        lt.kill(pid)
        killed.append(pid)
        os.kill(rig.server.pid, signal.SIGCONT)
        heard.append(hears(conn) is not None)
        lt.wait_until(lambda: rig.server.metrics()["workers"] == 3)
        # It is free, for somebody else.
        lt.wait_until(lambda: is_free(f"name{i}"))
        lt.wait_until(lambda: rig.server.metrics()["tunnels"] == 2)
        time.sleep(1.2)  # or its next death would count as one at its start
dead = set(killed)


def excused(trial):
    """Whom the dead one had accepted: no service knows him."""
    return trial.end.startswith("cut") and trial.id not in {
        id_ for _, id_, _ in rig.book}


rig.judge(excused, died=dead,
          log={r"worker \d died pid=\d+ signal=9": len(killed)})
assert len(dead) == ROUNDS and not dead & owners
print(f"{sum(heard)} of {ROUNDS} had been granted before")
