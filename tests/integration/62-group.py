#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Clients in a group share a name: visitors are spread over them evenly, one
that dies takes only its own visitors with it, and nobody else gets in."""

import http.client
import threading
from collections import Counter

import lt
import ltp02

VISITS = 1_000
AT_ONCE = 8
services = {name: lt.Service(name) for name in "ab"}
server = lt.Server(workers=4)


def visit_all(then=lambda: None):
    """How often each service has answered; None: not at all. Halfway
    something happens."""
    seen, lock = Counter(), threading.Lock()
    turns = iter(range(VISITS))

    def visit():
        while True:
            with lock:
                i = next(turns, None)
            if i is None:
                return
            if i == VISITS // 2:
                then()
            page = None
            try:
                page = lt.get(server, "demo")
            except (ConnectionError, http.client.IncompleteRead):
                pass  # it was cut off, perhaps in the middle of its answer
            good = page is not None and page.status == 200
            with lock:
                seen[page.json()["service"] if good else None] += 1
    visitors = [threading.Thread(target=visit) for _ in range(AT_ONCE)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return seen


# The second one runs beside the first, with the same home.
a = lt.Client(server, services["a"], "--group", "sesame", name="demo")
home = {"XDG_STATE_HOME": a.env["XDG_STATE_HOME"]}
b = lt.Client(server, services["b"], "--group", "sesame", name="demo",
              env=home)
assert a.url == b.url
lt.wait_until(lambda: server.metrics()["sessions"] == 8)
assert server.metrics()["tunnels"] == 1
seen = visit_all()
assert sum(seen.values()) == VISITS and set(seen) == {"a", "b"}, seen
assert all(abs(seen[name] - VISITS / 2) <= VISITS / 10 for name in seen), seen

# Another key, or none: the name is taken, and it is said how that can be.
for args in ("--group", "other"), ():
    other = lt.Client(server, services["a"], *args, name="demo", wait=False)
    assert other.wait() == 3 and "the name demo is taken" in other.log()
    assert ("another key" in other.log()) == bool(args), other.log()

# One is killed in the middle: whoever is not joined to it is served.
for client in b, a:
    seen = visit_all(client.kill)
    assert seen[None] <= AT_ONCE, seen
    assert sum(seen.values()) == VISITS and seen["a"] and seen["b"], seen
    client.start()
    lt.wait_until(lambda: server.metrics()["sessions"] == 8)
# One that ends in good order takes nobody with it.
seen = visit_all(lambda: b.signal(lt.SIGTERM))
assert b.wait() == 0 and seen[None] == 0, seen
assert visit_all() == {"a": VISITS}
assert a.stop() == 0
lt.wait_until(lambda: lt.get(server, "demo").status == 404)

# A server that does not know groups would not share the name.
old = ltp02.OldServer()
client = lt.Client(old, services["a"], "--group", "sesame", name="demo",
                   wait=False)
assert client.wait() == 1 and client.output() == ""
assert "this server is too old for --group" in client.log(), client.log()
