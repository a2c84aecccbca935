#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""10,000 new sessions in a burst, more than there is room for: each is granted
or told why not, the counts add up, visitors of others are served meanwhile,
and when all have gone registry, descriptors and memory are what they were."""

import ledger
from ledger import lt

SESSIONS = 1000 if ledger.QUICK else 10_000
TUNNELS = SESSIONS * 8 // 10

rig = ledger.Rig(options={"max-tunnels": TUNNELS, "grace-old": 0})
sources = [f"127.0.0.{n}" for n in range(2, 21)]


def burst():
    crowd = ledger.Crowd(rig.server, 0, SESSIONS, 0, sources)
    said = crowd.wait()
    assert said["granted"] == TUNNELS - 2, said
    assert said["granted"] + said["refused"] == SESSIONS, said
    assert "no room for another tunnel" in said["errors"], said
    assert rig.server.metrics()["tunnels"] == TUNNELS
    assert rig.visit("a").end == "ok"
    crowd.end()
    lt.wait_until(lambda: rig.server.metrics()["tunnels"] == 2, 60)
    return said


def slowest(since):
    times = sorted(t.ended - t.begun for t in rig.trials
                   if t.kind == "get" and t.begun >= since)
    return times[int(len(times) * 0.99)]


with rig.traffic():
    lt.time.sleep(2)
usual = slowest(rig.began)
with rig.traffic():
    said = burst()
    meanwhile = slowest(rig.began)
# Tables and heaps have their size now, and do not grow any more.
rig.memory = max(map(lt.rss, rig.processes()))
with rig.traffic():
    burst()
rig.judge()
print(said, f"p99 of visits {usual * 1000:.0f} ms before, "
      f"{meanwhile * 1000:.0f} ms meanwhile")
