#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Under traffic the server is sent the corpora of the fuzz targets, as they are
and each with a byte changed at many places, by one connection after the other:
no process ends, nobody else is moved, memory stays bounded."""

import glob
import os
import random
import socket

import ledger
from ledger import lt

EVERY = 12 if ledger.QUICK else 2
CORPUS = os.path.join(lt.ROOT, "tests/fuzz/corpus")


def inputs():
    """Each file, then itself with single bytes changed."""
    chance = random.Random(1)
    for path in sorted(glob.glob(f"{CORPUS}/*/*"))[::EVERY]:
        with open(path, "rb") as f:
            data = f.read()
        kind = os.path.basename(os.path.dirname(path))
        for prefix in {"ltp": (b"", b"LTP/0.2"), "json": (
                b"LTP/0.2" + len(data).to_bytes(4, "big"),)}.get(
                    kind, (b"",)):
            yield prefix + data
            for _ in range(8 if data else 0):
                changed = bytearray(data)
                changed[chance.randrange(len(data))] ^= \
                    1 << chance.randrange(8)
                yield prefix + bytes(changed)


def say(data):
    """Sends it all and reads what comes; how it ends does not matter."""
    with socket.create_connection(rig.server.address, lt.PATIENCE) as conn:
        try:
            conn.sendall(data)
            conn.shutdown(socket.SHUT_WR)
            while conn.recv(65536):
                pass
        except ConnectionError:
            pass


# What is granted by accident ends with its connection.
rig = ledger.Rig(options={"grace": 0, "grace-old": 0})
count = 0
with rig.traffic():
    for data in inputs():
        say(data)
        count += 1
assert count > 100, count
rig.judge()
print(count, "inputs")
