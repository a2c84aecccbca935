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


for _ in range(VISITS // 40):
    burst(40)


def settled():
    """What has been counted, once nobody is joined nor on his way from one worker
    to another, as new proxy connections may still be; else None."""
    now = server.metrics()
    is_quiet = now["joined"] == 0 and now["handed_out"] == now["handed_in"]
    return now if is_quiet else None


count = lt.wait_until(settled, what="as many have come as were handed over")
assert count["visitors"] == VISITS and count["handed_in"] > 0, count

# Only one worker has joined anybody: the owner.
owners = collections.Counter(
    line.split(" info: ")[0].split("] ")[1]
    for line in server.log().splitlines() if "visitor tunnel=demo" in line)
assert len(owners) == 1 and sum(owners.values()) == VISITS, owners
