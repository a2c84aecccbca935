#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""100,000 idle proxy connections: none costs more than 512 bytes of memory
beside what the kernel has for it, they cost next to no time, and visitors are
served as without them. The figures of time are only said."""

import time

import ledger
from ledger import lt

EACH = 64  # a tunnel
CROWDS = 1 if ledger.QUICK else 7
TUNNELS = 80 if ledger.QUICK else 224  # in each crowd
SECONDS = 2 if ledger.QUICK else 20


def p99():
    """Of visits one after the other, in ms."""
    times = []
    for _ in range(200 if ledger.QUICK else 2000):
        begun = ledger.now()
        assert rig.visit("a").end == "ok"
        times.append(ledger.now() - begun)
    return 1000 * sorted(times)[int(len(times) * 0.99)]


def memory():
    return sum(ledger.private(pid) for pid in rig.server.workers())


rig = ledger.Rig(workers=8, options={
    "pool-idle-old": EACH, "max-tunnels": 16384, "grace-old": 0,
    "access-log": "off"})
before, usual = memory(), p99()
crowds, count = [], 0
for i in range(CROWDS):
    crowds.append(ledger.Crowd(rig.server, i * TUNNELS, TUNNELS, EACH,
                               [f"127.0.0.{i + 2}"]))
    said = crowds[-1].wait()
    assert said["idle"] == TUNNELS * EACH, said
    count += TUNNELS * EACH
    lt.wait_until(lambda: rig.server.metrics()["idle"] == count + 20, 120)
each = (memory() - before) / count
pids = rig.server.workers()
cpu = sum(map(ledger.cpu, pids))
time.sleep(SECONDS)
spent = (sum(map(ledger.cpu, pids)) - cpu) / SECONDS
now = p99()
print(f"{count} idle connections: {each:.0f} bytes each, {spent:.1%} of a core;"
      f" p99 of visits {usual:.2f} ms without, {now:.2f} ms with them")
if not lt.under_sanitizer():
    assert each <= 512, each
for crowd in crowds:
    crowd.end()
lt.wait_until(lambda: rig.server.metrics()["tunnels"] == 2, 60)
rig.memory = max(map(lt.rss, rig.processes()))
rig.judge()
