#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The end on request: the name is free at once, visitors who are there are
served to their end, and a second signal waits for nobody."""

import time

import lt

service = lt.Service()
server = lt.Server()


def ended(visitor):
    """True if the visitor was cut off."""
    try:
        return visitor.read_all() == b""
    except ConnectionResetError:
        return True


# Nobody is there: it ends, and does not wait for anything.
for sig in lt.SIGINT, lt.SIGTERM, lt.signal.SIGHUP:
    client = lt.Client(server, service, name="demo")
    assert lt.get(server, "demo").status == 200
    lt.wait_until(lambda: server.metrics()["joined"] == 0)
    begun = time.monotonic()
    assert client.stop(sig) == 0
    assert time.monotonic() - begun < 15, "it has waited"
    assert "served" not in client.log(), client.log()
    lt.wait_until(lambda: lt.get(server, "demo").status == 404)

# Somebody is: no new visitor comes, and that one is served to the end.
for sig in lt.SIGTERM, lt.SIGINT:
    client = lt.Client(server, service, name="demo")
    kept = [lt.Visitor(server) for _ in range(3)]
    for visitor in kept:
        assert visitor.request(server.host("demo")).status == 200
    client.signal(sig)
    client.wait_log("visitors who are still served: 3; they have 30 s, "
                    "another signal ends them at once")
    lt.wait_until(lambda: lt.get(server, "demo").status == 404)
    # The name is free already.
    other = lt.Client(server, lt.Service("other"), name="demo")
    assert lt.get(server, "demo").json()["service"] == "other"
    for visitor in kept:
        page = visitor.request(server.host("demo"), "/bytes/3000000")
        assert page.sha256 == lt.sha256_of(3_000_000)
        visitor.close()
    assert client.wait() == 0
    assert other.stop() == 0

# A second signal, of either kind, ends it.
for first, second in ((lt.SIGTERM, lt.SIGTERM), (lt.SIGINT, lt.SIGINT),
                      (lt.SIGTERM, lt.SIGINT)):
    client = lt.Client(server, service, name="demo")
    with lt.Visitor(server) as visitor:
        assert visitor.request(server.host("demo")).status == 200
        client.signal(first)
        client.wait_log("visitors who are still served: 1")
        begun = time.monotonic()
        assert client.stop(second) == 0
        assert time.monotonic() - begun < 15, "it has waited"
        assert ended(visitor)

# Nobody is waited for for ever.
client = lt.Client(server, service, name="demo")
with lt.Visitor(server) as visitor:
    assert visitor.request(server.host("demo")).status == 200
    begun = time.monotonic()
    client.signal(lt.SIGTERM)
    assert client.wait(lt.PATIENCE + 30) == 0
    assert time.monotonic() - begun >= 29, "the visitor was not waited for"
    assert "visitors who are cut off: 1" in client.log()
    assert ended(visitor)

# The server is away: there is nobody to tell.
lost = lt.Server()
client = lt.Client(lost, service)
workers = lost.workers()
lost.kill()
lt.wait_until(lambda: not any(map(lt.exists, workers)))
client.wait_log("trying again")
assert client.stop() == 0
