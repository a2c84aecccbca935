#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A worker stands still under traffic, but never the owner of b: the master
ends it and has another one take its place; those it held may end with it, b has
no error, and no client is given to it meanwhile. Going on later brings nothing
back; and one that goes on in time has lost nothing.

LT_SEED repeats the choices of an earlier run."""

import os
import random
import re
import time

import ledger
from ledger import lt, ltp02

ROUNDS = 2 if ledger.QUICK else 12
WATCHDOG_S = 8
STILL_S = 3  # after which others know
SEED = int(os.environ.get("LT_SEED", time.time_ns() % 1_000_000))

chance = random.Random(SEED)
stops = []  # (from, until, who, ports of the visitors whom it held)
ended = []
print("LT_SEED", SEED)


def said():
    return rig.server.log().count("stands still: ended")


def stop(pid):
    os.kill(pid, lt.signal.SIGSTOP)
    lt.wait_until(lambda: " T " in open(
        f"/proc/{pid}/stat", encoding="ascii").read())
    time.sleep(STILL_S)


def newcomers(pid, others):
    """Clients that come while a worker stands still are given to others,
    though it may have fewer sessions. Says nothing if it is ended by then."""
    before = said()
    name = f"new{len(stops)}-"
    conns = [ltp02.open_control(rig.server.address, f"{name}{i}")[0]
             for i in range(4)]
    owners = {int(p) for p in re.findall(
        rf"ltserver\[(\d+)\].* session started tunnel={name}",
        rig.server.log())}
    assert said() > before or owners <= others, (pid, owners)
    for conn in conns:
        conn.close()


def stand_still(pid, wakes):
    """Stops a worker until the master has ended it, or only for a while."""
    begun, others = ledger.now(), set(rig.server.workers()) - {pid}
    before = said()
    held = rig.visitors_of(pid)
    stop(pid)
    held |= rig.visitors_of(pid)
    newcomers(pid, others)
    if not wakes:
        lt.wait_until(lambda: said() > before)
        ended.append(pid)
    os.kill(pid, lt.signal.SIGCONT)
    lt.wait_until(lambda: wakes or not lt.exists(pid))
    lt.wait_until(lambda: rig.server.metrics()["workers"] == rig.workers)
    lt.wait_until(lambda: rig.visit("a").end == "ok")
    stops.append((begun, ledger.now(), pid, held))


def excused(trial):
    """True if he met one that stood still: held by it, or of its tunnel and
    waiting for it."""
    for begun, over, _, ports in stops:
        if trial.begun <= over and trial.ended >= begun and (
                trial.port in ports and
                (trial.tunnel == "a" or trial.id not in known) or
                trial.tunnel == "a" and rig.turned_away(trial)):
            return True
    return False


rig = ledger.Rig(options={"watchdog": WATCHDOG_S, "grace-old": 0})
urls = [client.url for client in (rig.a, rig.b)]
untouched = rig.owner("b")
with rig.traffic():
    for number in range(ROUNDS):
        # The owner of a is the first, in a short play too.
        victim = rig.owner("a") if number == 0 else chance.choice(
            [w for w in rig.server.workers() if w != untouched])
        if victim != untouched:
            stand_still(victim, wakes=number % 4 == 1)
        time.sleep(1.5)  # or another end would count as one at its start
known = {id_ for _, id_, _ in rig.book}
rig.judge(excused, died=ended, log={r"stands still: ended": len(ended)})
assert ended and len(stops) > len(ended)
assert set(rig.owners("b")) == {untouched}
assert "lost the server" not in rig.b.log(), rig.b.log()
assert [client.url for client in (rig.a, rig.b)] == urls
print(f"{len(ended)} of {len(stops)} ended, and there again after"
      f" {max(until - begun for begun, until, _, _ in stops):.1f} s at most")
