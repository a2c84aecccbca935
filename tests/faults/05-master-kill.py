#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The master is killed under traffic and started again at once, as a
supervisor does: nobody's port is in the way, no worker of the old one is left,
both clients are back under their names, and from then on nobody fails."""

import time

import ledger
from ledger import lt

ROUNDS = 1 if ledger.QUICK else 5

rig = ledger.Rig(options={"drain": 5})
died, faults, back = [], [], []
with rig.traffic():
    for _ in range(ROUNDS):
        workers = rig.server.workers()
        died += [rig.server.pid, *workers]
        begun = ledger.now()
        rig.server.kill()
        # Binds at once: the workers have let go of the port, or share it with
        # nobody who would keep it.
        lt.wait_until(lambda: lt.refused(rig.server.address))
        rig.server.start_again()
        for tunnel in "ab":
            lt.wait_until(lambda: lt.get(
                rig.server, tunnel, f"/get/extra").status == 200)
        back.append(ledger.now() - begun)
        faults.append((begun, ledger.now()))
        lt.wait_until(lambda: not any(map(lt.exists, workers)))
        time.sleep(1)
rig.book[:] = [row for row in rig.book if row[1] != "extra"]


def excused(trial):
    """Who was there at that time."""
    return any(trial.begun < end and trial.ended > begin
               for begin, end in faults)


rig.judge(excused, died=died)
assert all(client.alive() for client in rig.clients.values())
print(f"both tunnels are back after {max(back):.2f} s at most")
