#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What a token, or else the settings, limit of a tunnel: visitors at once, over
all its sessions; and bytes per second, then it has one session, where that is
exact. Tunnels of other tokens do not feel it."""

import os
import re
import signal
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
server = lt.Server(workers=3, options={"tokens": path,
                                       "log-level": "debug"})
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


def crowd(name):
    """Visitors who come all at once, whichever worker they come to; those who
    are let in."""
    coming = [lt.Visitor(server) for _ in range(16)]
    for visitor in coming:
        visitor.send(lt.request(server.host(name)))
    answers = [(visitor, visitor.read_response().status)
               for visitor in coming]
    assert {status for _, status in answers} <= {200, 503}, answers
    for visitor, status in answers:
        if status == 503:
            visitor.close()
    return [visitor for visitor, status in answers if status == 200]


def empty():
    lt.wait_until(lambda: server.metrics()["joined"] == 0)


def sessions(name):
    return len(re.findall(rf"session started tunnel={name} ", server.log()))


# Never more, though each of three workers lets some in. Those who look at the
# same moment may all be turned away.
lt.wait_until(lambda: sessions("few") == 3 and sessions("free") == 3)
assert sessions("slow") == 1
for _ in range(20):
    inside = crowd("few")
    assert len(inside) <= 2, len(inside)
    while len(inside) < 2:
        inside += crowd("few")
    assert len(inside) == 2, len(inside)
    for visitor in inside:
        visitor.close()
    empty()

# Where the token says nothing the settings do, at once, for tunnels that are
# there already.
assert len(inside := crowd("free")) == 16
for visitor in inside:
    visitor.close()
empty()


def reload(**settings):
    server.configure("".join(f"{key.replace('_', '-')} = {value}\n"
                             for key, value in settings.items()))
    n = server.log().count("settings taken")
    server.signal(signal.SIGHUP)
    lt.wait_until(lambda: server.log().count("settings taken") == n + 3)


reload(connections_per_tunnel=5)
for name, most in (("free", 5), ("few", 2)):
    inside = crowd(name)
    assert len(inside) <= most, (name, len(inside))
    for visitor in inside:
        visitor.close()
    empty()
reload(connections_per_tunnel=0)

# Bytes per second, both ways, in one worker of three. How long it must take is
# asserted; a tenth of a second's bytes may come at once, and a read of each
# direction.
SIZE, RATE = 300000, 200000


def is_slow(name):
    begun = time.monotonic()
    answer = lt.get(server, name, f"/bytes/{SIZE // 2}")
    assert answer.status == 200 and len(answer.body) == SIZE // 2, \
        answer.status
    answer = lt.get(server, name, "/", method="POST", body=b"x" * (SIZE // 2))
    assert answer.status == 200
    return time.monotonic() - begun >= (SIZE - RATE / 10 - 2 * 16384) / RATE


assert is_slow("slow")

# The settings' limit: of what is opened from then on.
reload(bandwidth_per_tunnel="200k")
late = lt.Client(server, service, "-t", free, name="late")
assert is_slow("late")
assert sessions("late") == 1
assert is_slow("slow")
