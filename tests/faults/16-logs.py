#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The disk of the log is full, the log is a FIFO that nobody reads, the log is
moved away again and again, all under traffic: no visitor notices, what is lost
is counted, no line is torn, and writing goes on as soon as it can."""

import os
import re
import signal
import subprocess
import time

import ledger
from ledger import lt

SECONDS = 3 if ledger.QUICK else 15
LINE = re.compile(r"\d+-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z "
                  r"(ltserver\[\d+\] .*|tunnel=.* end=\"[^\"]*\")")


def play(path, fault, options=None):
    """A server that logs there, and what happens to its log."""
    rig = ledger.Rig(workers=2, options={
        "log": path, "access-log": path + ".access", **(options or {})})
    with rig.traffic():
        fault(rig)
    rig.judge()
    dropped = rig.server.metrics()["log_dropped"]
    for program in (rig.server, *rig.clients.values()):
        assert program.stop() == 0
    return dropped


def whole(path):
    """True if every line of a file is a whole one, but the last."""
    with open(path, encoding="ascii") as f:
        lines = f.read().split("\n")
    torn = [line for line in lines[:-1] if not LINE.fullmatch(line)]
    assert not torn, torn[:5]
    return len(lines)


def full_disk(rig):
    """It gets full, stays so for a while, and has room again."""
    lt.wait_until(lambda: rig.server.metrics()["log_dropped"] > 0)
    time.sleep(SECONDS)
    before = rig.server.metrics()["log_dropped"]
    os.truncate(f"{disk}/log.access", 0)
    os.truncate(f"{disk}/log", 0)
    os.kill(rig.server.pid, signal.SIGUSR1)
    rig.visit("a")
    lt.wait_until(lambda: os.path.getsize(f"{disk}/log.access") > 0)
    print(f"full disk: {before} lines lost")


def moved(rig):
    """Rotated, as logrotate does it."""
    for number in range(SECONDS * 3):
        for path in log, log + ".access":
            os.rename(path, f"{path}.{number}")
        os.kill(rig.server.pid, signal.SIGUSR1)
        lt.wait_until(lambda: os.path.exists(log + ".access")
                      and os.path.exists(log))
        time.sleep(0.3)


def unread(rig):
    """The FIFO is full, and the rest is lost."""
    lt.wait_until(lambda: rig.server.metrics()["log_dropped"] > 0, 120)
    time.sleep(SECONDS)


log = f"{lt.tmp}/log"
assert play(log, moved) == 0
lines = sum(whole(os.path.join(lt.tmp, name)) for name in os.listdir(lt.tmp)
            if name.startswith("log"))
print(f"moved: {lines} lines, all whole")

fifo = f"{lt.tmp}/fifo"
for path in fifo, fifo + ".access":
    os.mkfifo(path)
readers = [os.open(path, os.O_RDONLY | os.O_NONBLOCK)
           for path in (fifo, fifo + ".access")]
print(f"a FIFO that nobody reads: {play(fifo, unread)} lines lost")

if os.getuid() == 0:
    disk = f"{lt.tmp}/disk"
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk],
                      check=False).returncode == 0:
        try:
            assert play(f"{disk}/log", full_disk) > 0
            whole(f"{disk}/log.access")
        finally:
            subprocess.run(["umount", disk], check=True)
