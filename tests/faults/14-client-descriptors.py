#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The client of a is out of descriptors: it takes no more proxy connections
than it can serve, says so, does not spin, and recovers by itself."""

import resource
import time

import ledger
from ledger import lt

SECONDS = 3 if ledger.QUICK else 15


def excused(trial):
    return trial.tunnel == "a" and rig.turned_away(trial) and \
        trial.begun < healed and trial.ended > begun


rig = ledger.Rig(options={"queue-timeout": 2})
hard = resource.prlimit(rig.a.pid, resource.RLIMIT_NOFILE)[1]
with rig.traffic():
    begun, cpu = ledger.now(), ledger.cpu(rig.a.pid)
    resource.prlimit(rig.a.pid, resource.RLIMIT_NOFILE,
                     (lt.fd_count(rig.a.pid), hard))
    joined = [t for t in rig.trials
              if t.kind in ("down", "up", "echo") and t.end == "never ended"]
    time.sleep(SECONDS)
    spent = ledger.cpu(rig.a.pid) - cpu
    resource.prlimit(rig.a.pid, resource.RLIMIT_NOFILE, (hard, hard))
    lt.wait_until(lambda: rig.visit("a").end == "ok")
    healed = ledger.now()
assert all(t.end == "ok" for t in joined), [t.end for t in joined]
rig.judge(excused)
assert spent < SECONDS / 2, spent
print(f"without descriptors: {spent / SECONDS:.1%} CPU; said: "
      f"{[line for line in rig.a.log().splitlines() if line][:3]}")
