#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The clock of server and clients jumps by hours and years, forward and back,
under traffic: nobody is dropped and no timer stands still, since none of them
goes by it; the log follows."""

import glob
import os
import re
import time

import ledger
from ledger import lt

SECONDS = 3 if ledger.QUICK else 30
JUMPS = ("+2h", "-2h", "+10y")

library = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
if not library or lt.under_sanitizer():
    lt.skip("faketime is not installed, or does not go with sanitizers")
offset = os.path.join(lt.tmp, "offset")


def jump(text):
    with open(offset + ".new", "w", encoding="ascii") as f:
        f.write(text + "\n")
    os.rename(offset + ".new", offset)


def stamps():
    """The years and hours in the log's last lines."""
    return re.findall(r"^(\d+)-\d+-\d+T(\d+):\d+", "\n".join(
        rig.server.log().splitlines()[-5:]), re.M)


jump("+0")
fake = {"LD_PRELOAD": library[0], "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_TIMESTAMP_FILE": offset, "FAKETIME_NO_CACHE": "1"}
# Its library opens the file again and again, which confined workers may not.
rig = ledger.Rig(env=fake, client={"env": fake}, options={
    "heartbeat": 1, "sandbox": "no"})
seen = set()
with rig.traffic():
    for by in JUMPS:
        jump(by)
        time.sleep(SECONDS)
        seen |= set(stamps())
        # Timers run: a client that is stopped is given up.
        lost = rig.server.log().count("heartbeats missed")
        assert lost == 0, lost
rig.judge()
assert len({hour for _, hour in seen}) >= 2 and \
    max(int(y) for y, _ in seen) >= time.gmtime().tm_year + 9, seen
assert "lost the server" not in rig.a.log() + rig.b.log()
begun = ledger.now()
rig.a.signal(lt.signal.SIGSTOP)
jump("-2h")
rig.server.wait_log("session ended tunnel=a .*heartbeats missed")
print(f"given up {ledger.now() - begun:.1f} s after it was stopped")
rig.a.signal(lt.signal.SIGCONT)
