#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The network between the client of a and the server loses everything, without
a reset: both sides notice by themselves, a's visitors get an answer, b's notice
nothing, and once it is healed a is back under its name and no connection of the
time before is left. Then it loses one packet in five."""

import subprocess
import time

import ledger
from ledger import lt

AWAY = 12 if ledger.QUICK else 40
LOSSY = 3 if ledger.QUICK else 20

ledger.own_network()
rig = ledger.Rig(listen=("127.0.0.1:0", "127.0.0.1:0"))
port = str(rig.server.ports[-1])  # of the client of a, and of nobody else
faults = []


def drop(how, *more):
    for end in "--dport", "--sport":
        subprocess.run(["iptables", "-w", how, "INPUT", "-p", "tcp", end, port,
                        *more, "-j", "DROP"], check=True)


def connections():
    """The local ports of all connections of a's client, of both ends."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split()[1:4] for line in f][1:]
    ends = [(int(a.split(":")[1], 16), int(b.split(":")[1], 16))
            for a, b, state in rows if state not in ("0A", "06")]
    return {frozenset(pair) for pair in ends if int(port) in pair}


def excused(trial):
    return trial.tunnel == "a" and any(
        trial.begun < end and trial.ended > begin for begin, end in faults)


with rig.traffic():
    old, begun = connections(), ledger.now()
    drop("-I")
    rig.server.wait_log("session ended tunnel=a .*heartbeats missed")
    noticed = ledger.now() - begun
    rig.a.wait_log("lost the server")
    client_noticed = ledger.now() - begun
    time.sleep(max(0, AWAY - client_noticed))
    drop("-D")
    healed = ledger.now()
    lt.wait_until(lambda: rig.visit("a").end == "ok", 60)
    back = ledger.now() - healed
    faults.append((begun, ledger.now()))
    # Both sides have let go of all that was there before.
    lt.wait_until(lambda: not connections() & old, 120)
    gone = ledger.now() - begun
    begun = ledger.now()
    drop("-I", "-m", "statistic", "--mode", "random", "--probability", "0.2")
    time.sleep(LOSSY)
    drop("-D", "-m", "statistic", "--mode", "random", "--probability", "0.2")
    lt.wait_until(lambda: rig.visit("a").end == "ok", 60)
    faults.append((begun, ledger.now()))
rig.judge(excused)
assert "lost the server" not in rig.b.log(), rig.b.log()
print(f"the server noticed after {noticed:.1f} s, the client after "
      f"{client_noticed:.1f} s; back {back:.1f} s after it was healed; no old "
      f"connection after {gone:.1f} s")
