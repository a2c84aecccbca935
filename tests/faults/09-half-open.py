#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The other end of a connection is gone and says nothing: every socket that is
connected has a keepalive timer, and idle proxy connections whose packets are
dropped are found, ended on both sides and replaced."""

import re
import subprocess
import time

import ledger
from ledger import lt

ledger.own_network()
ledger.need("ss")
rig = ledger.Rig(listen=("127.0.0.1:0", "127.0.0.1:0"))
port = rig.server.ports[-1]


def sockets(pid):
    """(local port, other port, timers) of what a process has connected."""
    out = subprocess.run(["ss", "-tnopH", "state", "established"], check=True,
                         capture_output=True, text=True).stdout
    rows = [line for line in out.splitlines() if f"pid={pid}," in line]
    return [(*(int(n) for n in re.findall(r":(\d+)\s", row)[:2]), row)
            for row in rows]


def all_sockets():
    return [row for pid in rig.processes() for row in sockets(pid)]


def timed():
    """All that stay, in all processes, have a keepalive timer; the client's
    have it once they have lived for some time."""
    there = {row[:2] for row in all_sockets()}
    assert len(there) > 40, there
    lt.wait_until(lambda: all("timer:(" in row for *ends, row in all_sockets()
                              if tuple(ends) in there), 60)


with rig.traffic():
    time.sleep(1)
    timed()
rig.wait_rest()

if not ledger.QUICK:
    # The control connection is the first that the client has opened.
    mine = sorted((int(re.search(r"fd=(\d+)\)", row)[1]), local)
                  for local, other, row in sockets(rig.a.pid)
                  if other == port)
    assert len(mine) == 11, mine
    idle = {local for _, local in mine[1:]}
    for local in idle:
        for pair in (local, port), (port, local):
            subprocess.run(["iptables", "-w", "-I", "INPUT", "-p", "tcp",
                            "--sport", str(pair[0]), "--dport", str(pair[1]),
                            "-j", "DROP"], check=True)
    begun = ledger.now()
    with rig.traffic("b"):
        for pid in rig.a.pid, rig.owner("a"):
            lt.wait_until(lambda: not idle & {
                n for row in sockets(pid) for n in row[:2]}, 200)
            print(f"{pid}: found after {ledger.now() - begun:.0f} s")
    assert "lost the server" not in rig.a.log(), rig.a.log()
rig.judge()
