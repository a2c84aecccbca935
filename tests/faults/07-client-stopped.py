#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The client of a is stopped under traffic: its session ends after missed
heartbeats, nobody who was given to it hangs, and when it goes on it finds
itself expired and comes back under its name."""

import time

import ledger
from ledger import lt

ROUNDS = 1 if ledger.QUICK else 3

rig = ledger.Rig()
faults, ends = [], []
with rig.traffic():
    for _ in range(ROUNDS):
        begun = ledger.now()
        lost = rig.server.log().count("heartbeats missed")
        rig.a.signal(lt.signal.SIGSTOP)
        lt.wait_until(lambda: rig.server.log().count(
            "heartbeats missed") > lost)
        ends.append(ledger.now() - begun)
        time.sleep(2)
        rig.a.signal(lt.signal.SIGCONT)
        lt.wait_until(lambda: rig.visit("a").end == "ok")
        faults.append((begun, ledger.now()))
        time.sleep(1)


def excused(trial):
    return trial.tunnel == "a" and any(
        trial.begun < end and trial.ended > begin for begin, end in faults)


rig.judge(excused, log={r"session ended tunnel=a .*heartbeats missed": ROUNDS})
assert "lost the server" not in rig.b.log(), rig.b.log()
# Two names, each with one owner, all the time.
assert rig.server.metrics()["sessions"] == 2
print(f"a stopped client is given up after {max(ends):.1f} s at most")
