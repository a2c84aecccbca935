#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Frames that claim to be huge are refused by their length alone: nothing is
set aside for them, however many there are and whatever follows."""

import socket

import ledger
from ledger import lt

LENGTHS = [16385, 65536, 1 << 24, 64 << 20, (1 << 31) - 1, 1 << 31,
           (1 << 32) - 1]

rig = ledger.Rig()
times = []
with rig.traffic():
    before = [lt.rss(pid) for pid in rig.processes()]
    for length in LENGTHS + [64 << 20] * 20:
        with lt.Visitor(rig.server) as visitor:
            begun = ledger.now()
            visitor.send(b"LTP/0.2" + length.to_bytes(4, "big"))
            answer = visitor.read_all()
            times.append(ledger.now() - begun)
            assert b'"error"' in answer, (length, answer)
    # All at once, each followed by as much as the server takes.
    many = [lt.Visitor(rig.server) for _ in range(20)]
    for visitor in many:
        visitor.send(b"LTP/0.2" + (64 << 20).to_bytes(4, "big"))
    for visitor in many:
        try:
            for _ in range(64):
                visitor.send(b"x" * 65536)
        except (ConnectionError, socket.timeout):
            pass
    grown = [lt.rss(pid) - b for pid, b in zip(rig.processes(), before)]
    for visitor in many:
        visitor.close()
if not lt.under_sanitizer():
    assert max(grown) < 8 << 20, grown
rig.judge()
print(f"refused after {max(times) * 1000:.0f} ms at most, memory grew by"
      f" {max(grown) >> 10} KB at most")
