#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What a token limits in a worker: visitors at once, and bytes per second; then
a tunnel has one session, where the limit is exact. Tunnels of other tokens do
not feel it."""

import os
import subprocess
import time

import lt

path = lt.tmp + "/tokens"


def add(*args):
    return subprocess.run(
        [os.path.join(lt.BUILD, "ltctl"), "-s", lt.tmp + "/none", "-f", path,
         "token", "add", *args], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=True).stdout.strip()


few, slow, free = add("few", "connections=2"), \
    add("slow", "bandwidth=200k"), add("free")
service = lt.Service()
server = lt.Server(workers=3, options={"tokens": path})
tunnels = {name: lt.Client(server, service, "-t", token, name=name)
           for name, token in (("few", few), ("slow", slow), ("free", free))}

# Visitors at once, whichever worker they come to: those over it are told to
# come again, and others can once one has gone.
for _ in range(3):
    inside = [lt.Visitor(server) for _ in range(2)]
    for visitor in inside:
        assert visitor.request(server.host("few")).status == 200
    for _ in range(4):
        answer = lt.get(server, "few")
        assert answer.status == 503, answer.status
        assert answer.header("Retry-After")
        assert b"as many visitors as it may have" in answer.body
    assert lt.get(server, "free").status == 200
    inside[0].close()
    lt.wait_until(lambda: lt.get(server, "few").status == 200)
    inside[1].close()
    lt.wait_until(lambda: server.metrics()["joined"] == 0)

# Bytes per second, both ways, in one worker of three. How long it must take is
# asserted; a tenth of a second's bytes may come at once, and a read of each
# direction.
SIZE = 300000
begun = time.monotonic()
answer = lt.get(server, "slow", f"/bytes/{SIZE // 2}")
assert answer.status == 200 and len(answer.body) == SIZE // 2, answer.status
answer = lt.get(server, "slow", "/", method="POST",
                body=b"x" * (SIZE // 2))
assert answer.status == 200
assert time.monotonic() - begun >= (SIZE - 20000 - 2 * 16384) / 200000
