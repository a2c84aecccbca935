#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The client of a is killed under traffic: visitors are held and served if it
is back in time, get 502 with Retry-After at their deadline if not, and 404
once the grace period is over. A goodbye frees the name at once. What was joined
in that client is all that is cut off, and b notices nothing."""

import time

import ledger
from ledger import lt

rig = ledger.Rig(options={"grace": 6, "queue-timeout": 2})
faults = []


def excused(trial):
    return trial.tunnel == "a" and any(
        trial.begun < end and trial.ended > begin for begin, end in faults)


def page():
    answer = lt.get(rig.server, "a", "/get/extra")
    return answer.status, answer.header("Retry-After")


with rig.traffic():
    # Back at once: only what was joined is lost.
    killed = ledger.now()
    rig.a.kill()
    joined = [t for t in rig.trials
              if t.tunnel == "a" and t.end == "never ended"]
    rig.a.start()
    returned = ledger.now()
    time.sleep(1)
    # Away for longer.
    away = ledger.now()
    rig.a.kill()
    status, retry = page()
    assert status == 502 and retry is not None, (status, retry)
    lt.wait_until(lambda: page()[0] == 404)
    print(f"404 after {ledger.now() - away:.1f} s")
    rig.a.start()
    faults.append((away, ledger.now()))
    # A goodbye: the name is free at once.
    left = ledger.now()
    assert rig.a.stop() == 0
    lt.wait_until(lambda: page()[0] == 404)
    rig.a.start()
    faults.append((left, ledger.now()))
    time.sleep(1)
rig.book[:] = [row for row in rig.book if row[1] != "extra"]
rig.pids.discard(rig.a.pid)


def excused_first(trial):
    """Joined in the client when it was killed: cut, or answered for it."""
    return trial.tunnel == "a" and trial.begun < returned and \
        trial.ended > killed and (trial.end.startswith("cut")
                                  or "ed the connection" in trial.end)


rig.judge(lambda t: excused(t) or excused_first(t), died=rig.gone())
assert any(t.end.startswith("cut") for t in joined)
