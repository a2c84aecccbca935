#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A flood of TLS: many who stop after the ClientHello, others who make whole
handshakes one after the other. Those in progress are bounded, traffic in clear
goes on, nobody may renegotiate, and all is given back."""

import socket
import ssl
import subprocess
import threading
import time

import ledger
from ledger import lt

import ca
from tlsvisitor import TlsVisitor

OPENERS = 50 if ledger.QUICK else 400
SECONDS = 3 if ledger.QUICK else 15

authority = ca.Authority()
pair = authority.issue("localhost", "*.localhost")
anybody = ssl._create_unverified_context()


def client_hello():
    """The first bytes of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = anybody.wrap_bio(incoming, outgoing, server_hostname="a.localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def opener():
    conn = socket.create_connection(rig.server.address, lt.PATIENCE)
    conn.sendall(client_hello())
    return conn


def whole_ones():
    while not stop.is_set():
        try:
            TlsVisitor(rig.server, "a.localhost", anybody).close()
            done.append(1)
        except OSError:
            refused.append(1)
        time.sleep(0.02)


def slowest(since):
    times = sorted(t.ended - t.begun for t in rig.trials
                   if t.kind == "get" and t.begun >= since)
    return times[int(len(times) * 0.99)]


rig = ledger.Rig(config=f"""
    tls-certificate = "{pair.cert}"
    tls-key = "{pair.key}"
    handshakes = 64
    handshakes-per-address = 32
    handshake-timeout = 3
""")
stop, done, refused = threading.Event(), [], []


def flood():
    """How many handshakes there were at once, and p99 in clear meanwhile."""
    begun, most = ledger.now(), 0
    stop.clear()
    load = threading.Thread(target=whole_ones)
    load.start()
    openers = [opener() for _ in range(OPENERS)]
    while ledger.now() < begun + SECONDS:
        most = max(most, rig.server.metrics()["handshaking"])
        time.sleep(0.1)
    stop.set()
    load.join()
    now = slowest(begun)
    for conn in openers:
        conn.close()
    lt.wait_until(lambda: rig.server.metrics()["handshaking"] == 0)
    return most, now


with rig.traffic():
    time.sleep(2)
usual = slowest(rig.began)
with rig.traffic():
    # Of one address, so many in each worker.
    most, now = flood()
    assert 0 < most <= 32 * rig.workers, most
    # Heaps have their size now, and do not grow any more.
    rig.memory = max(map(lt.rss, rig.processes()))
    flood()
assert done
# Renegotiation: openssl asks for it by the line "R".
answer = subprocess.run(
    ["openssl", "s_client", "-tls1_2", "-servername", "a.localhost",
     "-connect", f"127.0.0.1:{rig.server.port}"], input=b"R\n", check=False,
    capture_output=True, timeout=lt.PATIENCE)
assert b"no renegotiation" in answer.stderr, answer.stderr[-300:]
rig.judge()
print(f"{len(done)} handshakes, {len(refused)} refused, {most} at once; p99 in"
      f" clear {usual * 1000:.0f} ms before, {now * 1000:.0f} ms meanwhile")
