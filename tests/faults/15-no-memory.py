#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Memory runs out: of all allocations in server and clients 1 % fail, then
10 %, under traffic, over TLS too. Connections fail, on both tunnels; but nobody
is answered with what was not meant for him, no process ends, and once there is
memory again all are served and nothing was kept.

The failures come from a library of ours, which confined workers can have too;
then from fiu-run, which is Debian's."""

import mmap
import os
import re
import ssl
import struct
import subprocess
import threading
import time

import ledger
from ledger import lt

import ca
from tlsvisitor import TlsVisitor

SECONDS = 10 if ledger.QUICK else 120
SHORT = 5 if ledger.QUICK else 20
LIBRARY = os.path.join(lt.BUILD, "tests/faults/no_memory.so")
MALLOC = "libc/mm/*"


class Ours:
    """no_memory.c in all programs that are started with env."""

    how, options = {}, {}

    def __init__(self):
        path = os.path.join(lt.tmp, "no-memory")
        with open(path, "wb+") as f:
            f.truncate(mmap.PAGESIZE)
            self.word = mmap.mmap(f.fileno(), mmap.PAGESIZE)
        self.how = {"env": {"LD_PRELOAD": LIBRARY, "NO_MEMORY": path}}

    def fail(self, _, percent):
        struct.pack_into("Q", self.word, 0, percent * 100)

    def failed(self):
        return struct.unpack_from("Q", self.word, 16)[0]


class Fiu:
    """fiu-run, told by fiu-ctrl. A thread of it opens FIFOs, which workers may
    not do that are confined."""

    def __init__(self):
        self.base = os.path.join(lt.tmp, "fiu")
        self.options = {"sandbox": "no"}
        self.how = {"wrapper": ("fiu-run", "-x", "-f", self.base)}

    def fail(self, rig, percent):
        """The master comes last: what it forks is as it is itself."""
        pids = rig.processes()
        command = f"enable_random name={MALLOC},probability={percent / 100}" \
            if percent else f"disable name={MALLOC}"
        for pid in reversed(pids):
            subprocess.run(["fiu-ctrl", "-f", self.base, "-c", command,
                            str(pid)], check=False, timeout=lt.PATIENCE)


def visit_over_tls(rig, stop, done):
    """Visitors of a third tunnel, whose client and visitors speak TLS."""
    while not stop.wait(0.05):
        try:
            with TlsVisitor(rig.server, "c.localhost",
                            anybody) as visitor:
                answer = visitor.request(rig.server.host("c"), "/get/c")
                done.append(answer is not None and answer.status == 200)
        except OSError:
            done.append(False)


def play(memory, seconds):
    rig = ledger.Rig(config=f"""
        tls-certificate = "{pair.cert}"
        tls-key = "{pair.key}"
    """, clients=memory.how, options=memory.options, **memory.how)
    secure = lt.Client(f"https://localhost:{rig.server.port}", lt.Service(),
                       "--ca", trust.cert, name="c", **memory.how)
    stop, done = threading.Event(), []
    over_tls = threading.Thread(
        target=visit_over_tls, args=(rig, stop, done))
    over_tls.start()
    with rig.traffic():
        for percent, length in ((1, seconds), (10, SHORT)):
            memory.fail(rig, percent)
            time.sleep(length)
        memory.fail(rig, 0)
    stop.set()
    over_tls.join()
    dead = re.findall(r"worker \d+ died .*", rig.server.log())
    assert not dead, dead
    for program in (rig.server, rig.a, rig.b, secure):
        assert program.alive(), (program.title, program.process.returncode)
    # Who was refused comes again after a pause that has grown.
    for tunnel in "ab":
        lt.wait_until(lambda: rig.visit(tunnel).end == "ok", 60)
    assert secure.stop() == 0
    rig.judge(lambda trial: True)
    assert any(t.end != "ok" for t in rig.trials)
    print(f"over TLS {sum(done)} of {len(done)} served")
    rig.server.stop()


if lt.under_sanitizer():
    lt.skip("a sanitizer has its own malloc")
trust = ca.Authority()
pair = trust.issue("localhost", "*.localhost")
anybody = ssl._create_unverified_context()
play(ours := Ours(), SECONDS)
assert ours.failed() > 2 * SECONDS, ours.failed()
print(f"{ours.failed()} allocations failed")
ledger.need("fiu-run", "fiu-ctrl")
play(Fiu(), SHORT)
