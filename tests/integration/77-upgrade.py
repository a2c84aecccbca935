#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""USR2: another program in the place of the server, several times under visitors
of every kind of tunnel: nobody is refused, names and ports and whoever is
joined stay. A program that is no good changes nothing. TERM and HUP come in
between."""

import os
import signal
import ssl

import lt
import ltp02
import upgrades
from load import Load
from tlsvisitor import TlsVisitor

server = upgrades.start("-v")
client = upgrades.run(server, 4)

# --- what is no good --------------------------------------------------------

MAGIC = b"localtunnel handoff 2"


def refused(why):
    before = upgrades.taken_over(server)
    answer = upgrades.ctl("upgrade")
    assert answer.returncode == 1 and why in answer.stderr, answer
    assert upgrades.taken_over(server) == before
    assert lt.get(server, "demo").status == 200


with Load(server, "demo") as load:
    upgrades.install(lambda code: code[:8192])
    refused("")
    upgrades.install(source="/bin/true")
    refused("does not say that it can take over")
    upgrades.install(source="/bin/false")
    refused("does not say that it can take over")
    upgrades.install(lambda code: b"#!/bin/sh\necho broken\nexit 1\n")
    refused("broken")
    # Of another layout: it must be the text that both programs compare.
    upgrades.install(lambda code: code.replace(MAGIC, MAGIC[:-1] + b"0"))
    refused("another layout")
    os.unlink(upgrades.PROGRAM)
    refused("No such file")
    upgrades.install()
    # The program is good, and the settings are not.
    server.configure("grace = soon\n")
    refused(f"{server.config}:1: grace")
    server.configure("grace = 44\n")
    load.go_on()

    # By signal, with settings that have changed; HUP and USR2 together.
    before = upgrades.taken_over(server)
    for sig in signal.SIGHUP, signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR2:
        server.signal(sig)
    lt.wait_until(lambda: upgrades.taken_over(server) > before)
    lt.wait_until(lambda: upgrades.ready(server) == 2)
    assert upgrades.shown("config")["grace"] == "44"
    load.go_on()

# --- a visitor who shook hands with the old program, and asks the new one -----

anybody = ssl._create_unverified_context()
slow = [TlsVisitor(server, "demo.localhost", anybody) for _ in range(8)]
upgrades.upgrade(server)
lt.wait_until(lambda: "leaving" in {w["state"] for w in
                                    upgrades.shown("workers")})
lt.wait_until(lambda: {s for w in upgrades.shown("workers") if
                       w["state"] == "leaving" for s in [w["sessions"]]} == {0})
body = lt.stream(1 << 20)
for visitor in slow:
    for path in "/one", "/two":
        page = visitor.request(server.host("demo"), path)
        assert page.status == 200 and page.json()["path"] == path, page.body
        assert page.seen("X-Forwarded-Proto") == ["https"], page.body
    page = visitor.request(server.host("demo"), method="POST", body=body)
    assert page.json()["body_sha256"] == lt.sha256(body)
    assert visitor.request(server.host("demo"), "/bytes/3000000").sha256 == \
        lt.sha256_of(3000000)
    page = visitor.request("other.localhost")
    assert page.status == 421, page.status
    visitor.close()
lt.wait_until(lambda: len(server.workers()) == 2)

# --- an old client, whose session has to begin anew -------------------------

service = lt.Service()
old = ltp02.OldClient(server, "old", service)
kept = lt.Visitor(server)
assert kept.request(server.host("old")).status == 200
upgrades.upgrade(server)
assert old.closed.wait(lt.PATIENCE)
again = ltp02.OldClient(server, "old", service)
assert lt.get(server, "old").status == 200
assert kept.request(server.host("old")).status == 200

# --- at most two generations beside the newest ------------------------------

more = []
for _ in range(2):
    more.append(lt.Visitor(server))
    assert more[-1].request(server.host("demo")).status == 200
    if _ == 0:
        upgrades.upgrade(server)
refused("earlier upgrades")
for visitor in (kept, *more):
    assert visitor.request(server.host("old" if visitor is kept else "demo")
                           ).status == 200
    visitor.close()
upgrades.upgrade(server)
again.close()

# --- a name that is held, and TERM in the middle ----------------------------

client.signal(signal.SIGKILL)
client.wait()
lt.wait_until(lambda: [t["state"] for t in upgrades.shown("tunnels")
                       if t["name"] == "demo"] == ["held"])
upgrades.upgrade(server)
client.start()
assert lt.get(server, "demo").status == 200
server.signal(signal.SIGUSR2)
assert server.stop() == 0
assert not os.path.exists(upgrades.SOCKET)
assert not os.path.exists(lt.tmp + "/pid")
assert " died " not in server.log()
