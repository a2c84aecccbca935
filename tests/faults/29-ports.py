#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Public ports run out: a range of five, one of them somebody else's, and
twenty clients that want one. Four get one, the others are told why, nothing
outside the range is bound, and a port that was given back rests."""

import socket

import ledger
from ledger import lt, ltp02


def ask(number):
    """A port for tcp: (connection, its port), or the error."""
    conn = ltp02.connect(rig.server.address, {
        "control": {"name": f"t{number}", "client": "c"},
        "ext": {"kind": "tcp", "must": ["kind"]}})
    reply = ltp02.read_frame(conn)
    if "error" in reply:
        conn.close()
        return None, reply
    return conn, reply["ext"]["port"]


def listening():
    """The ports on which the server listens."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    inodes = {int(link[8:-1]) for link in lt.links(rig.server.pid)
              if link.startswith("socket:")}
    return {int(row[1].split(":")[1], 16) for row in rows
            if row[3] == "0A" and int(row[9]) in inodes}


first = lt.free_range(5)
theirs = socket.create_server(("127.0.0.1", first + 2))
rig = ledger.Rig(workers=2, options={
    "tcp-ports": f"{first}-{first + 4}", "grace": 0})
mine = set(range(first, first + 5)) - {first + 2}
with rig.traffic():
    answers = [ask(number) for number in range(20)]
    got = {port for conn, port in answers if conn}
    assert got == mine, (got, mine)
    refused = [reply for conn, reply in answers if not conn]
    assert len(refused) == 16 and all(
        r["error"] == "full" or "port" in r["message"] for r in refused), \
        refused[0]
    assert listening() == mine | set(rig.server.ports), listening()
    # Given back: they are closed at once, and rest before they are had again.
    for conn, _ in answers:
        if conn:
            conn.sendall(ltp02.frame({"event": {"close": "goodbye"}}))
            conn.close()
    lt.wait_until(lambda: listening() == set(rig.server.ports))
    assert ask(99)[0] is None
rig.judge()
theirs.close()
print(f"20 asked for 5: {len(got)} granted; then {refused[0]}")
