#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""500 HUPs in some seconds under traffic, while the settings say one thing and
then the other, and USR1 between them: no visitor notices, no worker is replaced,
nothing grows. Then TERM in the middle of more."""

import os
import signal
import time

import ledger
from ledger import lt

HUPS = 50 if ledger.QUICK else 500
SETTINGS = ("grace = 40\nqueue-limit = 100\n", "grace = 50\nqueue-limit = 200\n")


def put(text):
    """As an editor does it: never half of it."""
    with open(rig.server.config + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(rig.server.config + ".new", rig.server.config)


rig = ledger.Rig(config=SETTINGS[0])
with rig.traffic():
    for number in range(HUPS):
        put(SETTINGS[number % 2])
        rig.server.signal(signal.SIGHUP)
        if number % 10 == 0:
            rig.server.signal(signal.SIGUSR1)
        time.sleep(0.01)
    before = rig.server.log().count("settings read again")
    rig.server.signal(signal.SIGHUP)
    lt.wait_until(
        lambda: rig.server.log().count("settings read again") > before)
rig.judge()
assert "settings stay as they were" not in rig.server.log()
print(f"{HUPS + 1} HUPs, read again {before + 1} times")
for number in range(20):
    rig.server.signal(signal.SIGHUP)
assert rig.server.stop() == 0
