#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""50 times a worker is killed under traffic, but never the owner of b. Nothing
is lost but what a dead worker held at that moment: all others are served, and
the connections of b never end.

LT_SEED repeats the choices of an earlier run."""

import os
import random
import time

import ledger
from ledger import lt

KILLS = 4 if ledger.QUICK else 50
SEED = int(os.environ.get("LT_SEED", time.time_ns() % 1_000_000))

chance = random.Random(SEED)
kills = []  # (when, who, ports of the visitors whom the dead one held)
print("LT_SEED", SEED)


def kill_one(pid):
    """Kills a worker and waits for its replacement. It is stopped first, to
    see what it has; often for so long that its inbox fills."""
    others = set(rig.server.workers()) - {pid}
    os.kill(pid, lt.signal.SIGSTOP)
    lt.wait_until(lambda: " T " in open(
        f"/proc/{pid}/stat", encoding="ascii").read())
    time.sleep(chance.choice((0, 0.3)))
    kills.append((ledger.now(), pid, rig.visitors_of(pid)))
    os.kill(pid, lt.SIGKILL)
    lt.wait_until(lambda: pid not in rig.server.workers()
                  and len(set(rig.server.workers()) - others) == 1)
    back.append(ledger.now() - kills[-1][0])
    lt.wait_until(lambda: rig.server.metrics()["workers"] == 4)


def excused(trial):
    """True if a worker held this one when it was killed, and it ended then
    (or was another's already, and is served)."""
    held = trial.end.startswith("cut") and any(
        trial.begun <= when <= trial.ended <= when + 5 and trial.port in ports
        for when, _, ports in kills)
    # Of b only who was still to be read: no service knows him.
    return held and (trial.tunnel == "a" or trial.id not in known)


back = []
rig = ledger.Rig()
urls = [client.url for client in (rig.a, rig.b)]
untouched = rig.owner("b")
assert untouched in rig.server.workers()
assert set(rig.owners("b")) == {untouched}
with rig.traffic():
    for number in range(KILLS):
        # The owner of a is among the first, in a short play too.
        victim = rig.owner("a") if number == 0 else chance.choice(
            [w for w in rig.server.workers() if w != untouched])
        if victim != untouched:
            kill_one(victim)
        time.sleep(chance.uniform(0.5, 1 if ledger.QUICK else 3))
known = {id_ for _, id_, _ in rig.book}
rig.judge(excused, died=[pid for _, pid, _ in kills],
          log={r"worker \d died pid=\d+ signal=9": len(kills)})
assert set(rig.owners("b")) == {untouched}
assert "lost the server" not in rig.b.log(), rig.b.log()
assert [client.url for client in (rig.a, rig.b)] == urls
# It has happened, and to the owner of the first tunnel too.
assert len(set(rig.owners("a"))) >= (2 if ledger.QUICK else 5)
for kind in "down", "up", "echo":
    assert any(t.kind == kind and t.end != "ok" for t in rig.trials), kind
print(f"a replacement is there after {max(back):.2f} s at most")
