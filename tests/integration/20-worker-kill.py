#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""kill -9 of a worker. One that owns nothing: no visitor of another worker
sees an error. The owner: its client is back under the same name, and the
visitors who came meanwhile are parked and served."""

import re
import threading

import lt

server = lt.Server(workers=4, options={"sessions": 1})
service = lt.Service()
client = lt.Client(server, service, name="demo")
url = client.url


def owner():
    """The process that joined the last visitor."""
    before = server.log().count("visitor tunnel=demo")
    assert lt.get(server, "demo").status == 200
    return int(lt.wait_until(lambda: re.findall(
        r"ltserver\[(\d+)\].* visitor tunnel=demo", server.log())
        [before:])[-1])


def kill(pid):
    """Ends a worker and waits for its replacement to be ready."""
    ready = server.log().count("is ready")
    lt.kill(pid)
    lt.wait_until(lambda: not lt.exists(pid))
    return ready


mine = lt.wait_until(owner)
assert mine in server.workers()

# A connection joined in the owner lives through the death of any other.
with lt.Visitor(server) as visitor:
    assert visitor.request(server.host("demo")).status == 200
    for pid in [p for p in server.workers() if p != mine]:
        ready = kill(pid)
        for _ in range(20):
            with lt.Visitor(server) as other:
                other.send(lt.request(server.host("demo")))
                # Nobody whom the dead one had accepted is left, so
                # everybody is served.
                assert other.read_response().status == 200
        assert visitor.request(server.host("demo")).status == 200
        lt.wait_until(lambda: server.log().count("is ready") > ready)
assert lt.wait_until(owner) == mine
assert "lost the server" not in client.log(), client.log()

# The owner: who comes while the client is away waits, and is served.
for round_ in range(5):
    mine = owner()
    ready = kill(mine)
    pages = []
    visitors = [threading.Thread(target=lambda: pages.append(
        lt.get(server, "demo").status)) for _ in range(20)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert pages == [200] * 20, pages
    assert owner() != mine
    lt.wait_until(lambda: server.log().count("is ready") > ready)
    assert lt.get(server, "demo").status == 200
assert client.url == url and client.alive()
assert len(server.workers()) == 4
