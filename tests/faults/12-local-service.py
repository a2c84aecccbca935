#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The local service of a is down, resets, closes, or answers late, under
traffic: each visitor gets a page or an end soon and never hangs, the pool is
full again, the client does not spin, and b notices nothing."""

import time

import ledger
from ledger import lt

SECONDS = 2 if ledger.QUICK else 10

rig = ledger.Rig()
service = rig.services["a"]
port, faults = service.port, []


def excused(trial):
    return trial.tunnel == "a" and any(
        trial.begun < end and trial.ended > begin for begin, end in faults)


def down():
    """Refuses."""
    service.close()


def behaves(handler):
    """Does something else with each connection."""
    def fault():
        service.handler = handler
    fault.__name__ = handler.__name__
    return fault


def resets(conn):
    conn.recv(1)
    conn.setsockopt(lt.socket.SOL_SOCKET, lt.socket.SO_LINGER,
                    b"\1\0\0\0\0\0\0\0")


def closes(conn):
    conn.recv(65536)


def late(conn):
    time.sleep(0.7)
    service.serve(conn)


def heal():
    """The service is what it was, on its old port."""
    global service
    if service.socket.fileno() == -1:
        service = rig.services["a"] = ledger.Service("a", rig.book, port)
    service.handler = service.serve


with rig.traffic():
    for fault in (down, behaves(resets), behaves(closes),
                  behaves(late)):
        begun, cpu = ledger.now(), ledger.cpu(rig.a.pid)
        fault()
        time.sleep(SECONDS)
        spent = ledger.cpu(rig.a.pid) - cpu
        during = [t for t in rig.trials if t.tunnel == "a"
                  and t.kind == "get" and begun < t.begun]
        heal()
        lt.wait_until(lambda: rig.visit("a").end == "ok")
        faults.append((begun, ledger.now()))
        ends = {t.end[:3] for t in during}
        slow = max(t.ended - t.begun for t in during)
        print(f"{fault.__name__}: {sorted(ends)} after {slow:.2f} s at most,"
              f" client {spent / SECONDS:.0%} CPU")
        assert ends & {"ok", "502", "cut"} and len(during) > 1, ends
        # A storm of new connections would take it all.
        assert spent < SECONDS * 0.7, spent
rig.judge(excused)
