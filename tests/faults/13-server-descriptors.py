#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The owner of a is out of descriptors: it neither spins nor ends, what is
joined goes on, whoever comes waits or is told so, and it recovers by itself.
Then system calls fail with EMFILE one by one, by strace."""

import resource
import subprocess
import time

import ledger
from ledger import lt

SECONDS = 3 if ledger.QUICK else 10
CALLS = ("accept4", "recvmsg", "pipe2")


def excused(trial):
    """Whoever came meanwhile may be told that there is no room."""
    return trial.tunnel == "a" and rig.turned_away(trial) and \
        any(trial.begun < end and trial.ended > begin for begin, end in faults)


faults = []
# In place of a call that fails strace makes one that no sandbox allows.
rig = ledger.Rig(options={"queue-timeout": 2, "sandbox": "no"})
owner = rig.owner("a")
assert owner != rig.owner("b")
hard = resource.prlimit(owner, resource.RLIMIT_NOFILE)[1]
with rig.traffic():
    begun, cpu = ledger.now(), ledger.cpu(owner)
    resource.prlimit(owner, resource.RLIMIT_NOFILE,
                     (lt.fd_count(owner), hard))
    time.sleep(SECONDS)
    spent = ledger.cpu(owner) - cpu
    resource.prlimit(owner, resource.RLIMIT_NOFILE, (hard, hard))
    lt.wait_until(lambda: rig.visit("a").end == "ok")
    faults.append((begun, ledger.now()))
    print(f"without descriptors: {spent / SECONDS:.1%} CPU")
    assert spent < SECONDS / 2, spent
    time.sleep(1)
    if lt.shutil.which("strace"):
        for call in CALLS:
            begun = ledger.now()
            strace = subprocess.Popen(
                ["strace", "-qq", "-o", "/dev/null", "-p", str(owner), "-e",
                 f"trace={call}", "-e", f"inject={call}:error=EMFILE:when=1+7"],
                stderr=subprocess.DEVNULL)
            time.sleep(SECONDS)
            strace.terminate()
            strace.wait()
            lt.wait_until(lambda: rig.visit("a").end == "ok")
            faults.append((begun, ledger.now()))
rig.judge(excused)
