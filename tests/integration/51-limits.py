#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Limits: a worker without descriptors loses nobody, and recovers; a client
that pings and does not read is ended; a reset with half a head is over; of one
address so many may be half-made, and no more; a server that cannot have the
descriptors that it needs says so and does not start."""

import json
import re
import resource
import struct

import lt
import ltp02


server = lt.Server(workers=2, options={"queue-timeout": 2})
service = lt.Service()
client = lt.Client(server, service, name="demo")
assert lt.get(server, "demo").status == 200
owner = int(lt.wait_until(lambda: re.findall(
    r"ltserver\[(\d+)\].* visitor tunnel=demo", server.log()))[-1])

# The owner is at its limit: each visitor waits, and then is served or told
# so; none is cut off.
hard = resource.prlimit(owner, resource.RLIMIT_NOFILE)[1]
resource.prlimit(owner, resource.RLIMIT_NOFILE, (lt.fd_count(owner), hard))


def visit():
    visitor = lt.Visitor(server)
    visitor.send(lt.request(server.host("demo"),
                            headers={"Connection": "close"}))
    return visitor


# Whoever wakes first accepts: the owner notices when that is it. Until then it
# is handed visitors, who wait for it to have room again.
early = []
lt.wait_until(lambda: "accept paused" in server.log() or early.append(visit()))
visitors = [visit() for _ in range(60)]
for i, visitor in enumerate(visitors):
    if i == 30:
        resource.prlimit(owner, resource.RLIMIT_NOFILE, (hard, hard))
    page = visitor.read_response()
    assert page and page.status in (200, 502, 503), (i, page)
    visitor.close()
for visitor in early:
    assert visitor.read_response().status in (200, 502, 503)
    visitor.close()
lt.wait_until(lambda: lt.get(server, "demo").status == 200)
assert owner in server.workers()

# A client that sends pings for ever and reads no pong.
hello = json.dumps({"control": {"name": "deaf", "client": "c"},
                    "ext": {}}).encode()
ping = b"\0\0\0\x12" + b'{"control":"ping"}'
before = max(lt.rss(pid) for pid in server.workers())
with lt.Visitor(server) as deaf:
    deaf.send(ltp02.HEADER + struct.pack(">I", len(hello)) + hello)
    try:
        for _ in range(64):
            deaf.send(ping * 50_000)
        raise SystemExit("64 MB of pings were taken from a deaf client")
    except OSError:
        pass
server.wait_log('session ended tunnel=deaf .*does not read')
if not lt.under_sanitizer():
    assert max(lt.rss(pid) for pid in server.workers()) - before < 16 << 20

# Who resets in the middle of a head is no longer there to wait for.
half = [lt.Visitor(server) for _ in range(20)]
for visitor in half:
    visitor.send("GET / HTTP/1.1\r\nHo")
lt.wait_until(lambda: server.metrics()["half_made"] == len(half))
for visitor in half:
    visitor.reset()
lt.wait_until(lambda: server.metrics()["half_made"] == 0, timeout=8)
server.stop()

# Of one address no more than so many are half-made: the oldest goes. Another
# address does not feel it, and a trusted proxy has no limit.
server = lt.Server(workers=1, options={"half-made-per-address": 10,
                                       "head-timeout": 600})
client = lt.Client(server, lt.Service(), name="demo")


def half_made(source, server=server):
    visitor = lt.Visitor(server, source=(source, 0))
    visitor.send("GET / HTTP/1.1\r\n")
    return visitor


other = half_made("127.0.0.3")
visitors = []
for i in range(25):
    visitors.append(half_made("127.0.0.2"))
    lt.wait_until(lambda: server.metrics()["half_made"] == min(i + 1, 10) + 1)
for visitor in visitors[:15]:
    assert visitor.read_all() == b""
for visitor in [*visitors[15:], other]:
    visitor.send(f"Host: {server.host('demo')}\r\n\r\n")
    assert visitor.read_response().status == 200
    visitor.close()
assert "too many of this address" in server.log()
client.stop()
server.stop()
server = lt.Server(workers=1, options={"half-made-per-address": 1,
                                       "trusted-proxies": "127.0.0.2"})
visitors = [half_made("127.0.0.2", server) for _ in range(5)]
lt.wait_until(lambda: server.metrics()["half_made"] == 5)
server.stop()

# No room: who has said nothing for longest makes some, and whoever is joined is
# not touched.
server = lt.Server(workers=1, options={
    "max-connections": 40, "head-timeout": 600, "trusted-proxies": "127.0.0.2"})
client = lt.Client(server, lt.Service(), name="demo")
with lt.Visitor(server) as joined:
    assert joined.request(server.host("demo")).status == 200
    silent = [lt.Visitor(server, source=("127.0.0.2", 0)) for _ in range(300)]
    for visitor in silent:
        visitor.send("GET / HTTP/1.1\r\n")
    for _ in range(3):
        with lt.Visitor(server, timeout=4 * lt.PATIENCE) as visitor:
            assert visitor.request(server.host("demo")).status == 200
    assert joined.request(server.host("demo")).status == 200
server.wait_log("short of descriptors: one that had not said what it wants")
for visitor in silent:
    visitor.close()
client.stop()
server.stop()

# Descriptors: as many as the settings need, or no start at all.
server = lt.Server(workers=1, options={"max-connections": 100})
lt.wait_until(lambda: server.workers())
few = resource.prlimit(server.workers()[0], resource.RLIMIT_NOFILE)[0]
server.stop()
server = lt.Server(workers=1, options={"max-connections": 400})
lt.wait_until(lambda: server.workers())
assert resource.prlimit(server.workers()[0], resource.RLIMIT_NOFILE)[0] \
    == few + 2 * 300
server.stop()


def refused(few, **options):
    """A server with so few descriptors: what it says when it does not start."""
    server = lt.Server(
        workers=1, options={k.replace("_", "-"): v
                            for k, v in options.items()},
        wrapper=("prlimit", f"--nofile={few}:{few}"), wait=False)
    # Who may raise the limit has raised it.
    lt.wait_until(lambda: not server.alive() or "is ready" in server.log())
    if server.alive():
        assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[1] > few
        server.stop()
        return None
    assert server.wait() == 1
    return server.log()


assert "descriptors are needed at least, and there may be 200: raise the " \
    "limit (ulimit -n" in refused(200)
said = refused(1000, max_connections=4000)
assert said is None or re.search(
    r"max-connections = 4000 needs \d{4} descriptors, and there may be 1000: "
    r"raise that limit", said), said
