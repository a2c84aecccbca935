#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A worker dies between receiving a connection and joining it: strace kills
the owner of a in the recvmsg that takes one out of its inbox. Visitors come one
after the other, so nobody but that one may be lost each time."""

import random
import subprocess

import ledger
from ledger import lt

ROUNDS = 3 if ledger.QUICK else 20
VISITS = 50

ledger.need("strace")
rig = ledger.Rig()
chance = random.Random(1)
killed, when = [], []


def dies_receiving(pid):
    """Has strace wait for the recvmsg."""
    strace = subprocess.Popen(
        ["strace", "-qq", "-o", "/dev/null", "-p", str(pid), "-e",
         f"inject=recvmsg:signal=SIGKILL:when={chance.randint(1, 8)}"],
        stderr=subprocess.DEVNULL)
    lt.wait_until(lambda: ledger.traced(pid) or strace.poll() is not None)
    if strace.poll() is not None and lt.exists(pid):
        lt.skip("strace may not trace here")
    return strace


def excused(trial):
    """Of b only who was with the dead one, still to be read."""
    return trial.end.startswith("cut") and (
        trial in lost or trial.id not in known and
        any(trial.begun <= t <= trial.ended for t in when))


lost = []
with rig.traffic("b"):
    for _ in range(ROUNDS):
        assert rig.visit("a").end == "ok"
        pid = rig.owner("a")
        if pid == rig.owner("b"):
            break
        strace = dies_receiving(pid)
        round_ = [rig.visit("a") for _ in range(VISITS)]
        lt.wait_until(lambda: not lt.exists(pid) or not round_.append(
            rig.visit("a")))
        strace.wait()
        killed.append(pid)
        when.append(ledger.now())
        bad = [t for t in round_ if t.end != "ok"]
        assert len(bad) <= 1, [t.end for t in bad]
        lost += bad
        lt.wait_until(lambda: rig.server.metrics()["workers"] == 4)
known = {id_ for _, id_, _ in rig.book}
assert len(killed) >= ROUNDS / 2, killed
rig.judge(excused, died=killed,
          log={r"worker \d died pid=\d+ signal=9": len(killed)})
