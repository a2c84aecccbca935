#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A tunnel is owned by one worker of four; visitors and proxy connections
that the other three accept are handed over to it, and each is counted."""

import collections

import lt

VISITS = 400

server = lt.Server(workers=4, options={"sessions": 1})
service = lt.Service()
client = lt.Client(server, service, name="demo")


def burst(n):
    """Visitors who are all there before the first is served, so that every
    worker has some to accept."""
    visitors = [lt.Visitor(server) for _ in range(n)]
    for visitor in visitors:
        visitor.send(lt.request(server.host("demo")))
    for visitor in visitors:
        assert visitor.read_response().status == 200
        visitor.close()


before = server.metrics()
for _ in range(VISITS // 40):
    burst(40)
after = lt.wait_until(lambda: (m := server.metrics())["joined"] == 0 and m)
assert after["visitors"] - before["visitors"] == VISITS
handed_out = after["handed_out"] - before["handed_out"]
handed_in = after["handed_in"] - before["handed_in"]
assert handed_out > 0 and handed_out == handed_in, (handed_out, handed_in)

# Only one worker has joined anybody: the owner.
owners = collections.Counter(
    line.split(" info: ")[0].split("] ")[1]
    for line in server.log().splitlines() if "visitor tunnel=demo" in line)
assert len(owners) == 1 and sum(owners.values()) == VISITS, owners
