#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""slowhttptest with a thousand connections, of each kind: heads that never end
(-H), bodies that never end (-B), answers that are hardly read (-X). The service
is available all the time, to its own probe and to everybody else, and what was
not whole in time is closed."""

import re
import subprocess

import ledger
from ledger import lt

CONNECTIONS = 100 if ledger.QUICK else 1000
SECONDS = 5 if ledger.QUICK else 30

ledger.need("slowhttptest")
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 20) + \
    b"x" * (1 << 20)


def page(conn):
    """The same for everybody, once the request is there."""
    if conn.recv(65536).startswith(b"POST"):
        while conn.recv(65536):
            pass
    conn.sendall(PAGE)


rig = ledger.Rig(options={"head-timeout": 5})
victim = lt.Client(rig.server, lt.Listener(page), name="c")


def attack(kind, *more):
    """Plays it; what slowhttptest says at the end. As if the server were a
    proxy, since then it need not find the host of the tunnel."""
    done = subprocess.run(
        ["slowhttptest", kind, "-c", str(CONNECTIONS), "-r", "200", "-l",
         str(SECONDS), "-p", "10", "-u", f"http://{rig.server.host('c')}/",
         "-e", f"127.0.0.1:{rig.server.port}",
         "-d", f"127.0.0.1:{rig.server.port}", *more],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        cwd=lt.tmp)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    said = re.findall(r"service available:\s+(\w+)", text)
    most = max(map(int, re.findall(r"connected:\s+(\d+)", text)), default=0)
    print(f"{kind}: {most} connected, available: {set(said)}")
    assert said and set(said) == {"YES"}, text[-3000:]
    assert most > CONNECTIONS / 10, most


with rig.traffic():
    attack("-H", "-i", "2")
    attack("-B", "-i", "2", "-s", "8192")
    attack("-X", "-w", "512", "-y", "1024", "-n", "2", "-z", "64")
assert victim.stop() == 0
rig.judge()
