#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The server's program is replaced under traffic, again and again: nobody is
refused, what is joined lasts, the names stay where they are. One that cannot
run leaves the old one serving."""

import os
import shutil
import signal
import time

import ledger
from ledger import lt

TIMES = 1 if ledger.QUICK else 10
PROGRAM = f"{lt.tmp}/ltserver"
BUILT = os.path.join(lt.BUILD, "ltserver")


def install(path):
    """Puts a program in place as a package does: another file of the name."""
    shutil.copy(path, PROGRAM + ".new")
    os.chmod(PROGRAM + ".new", 0o755)
    os.rename(PROGRAM + ".new", PROGRAM)


def upgrade(says):
    before = rig.server.log().count(says)
    rig.server.signal(signal.SIGUSR2)
    lt.wait_until(lambda: rig.server.log().count(says) > before, what=says)


def settle(workers):
    """The old workers leave with the last of those who were joined in them."""
    lt.wait_until(lambda: not workers & set(rig.server.workers()), 60)
    rig.wait_rest()


install(BUILT)
rig = ledger.Rig(path=PROGRAM, options={"drain": 600})
pid = rig.server.pid
# What workers have is given to them after an upgrade; before, it was forked.
first = set(rig.server.workers())
upgrade("this program has taken over")
settle(first)
rig.fds = rig.in_use()
for number in range(TIMES):
    workers = set(rig.server.workers())
    with rig.traffic():
        install(BUILT)
        upgrade("this program has taken over")
        time.sleep(3)
        install("/bin/false")
        upgrade("no upgrade, this program goes on")
        time.sleep(1)
    install(BUILT)
    settle(workers)
rig.memory = max(map(lt.rss, rig.processes()))  # of another program
rig.judge(died=rig.gone())
assert rig.server.pid == pid and rig.server.alive()
assert "lost the server" not in rig.b.log(), rig.b.log()
