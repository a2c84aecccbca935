#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The client is killed: visitors are held, then get 502 at their deadline,
and 404 once the grace period is over. Started anew it has its name back at
once; another client does not, until the grace period is over."""

import socket
import threading

import lt
import ltp02

server = lt.Server(workers=3, options={"grace": 8, "queue-timeout": 2})
service = lt.Service()
client = lt.Client(server, service, name="demo")
assert lt.get(server, "demo").status == 200

client.kill()
# Held, and served if the client is back in time.
pages = []
visitors = [threading.Thread(target=lambda: pages.append(
    lt.get(server, "demo").status)) for _ in range(5)]
for visitor in visitors:
    visitor.start()
lt.wait_until(lambda: "session ended tunnel=demo" in server.log())
client.start()
for visitor in visitors:
    visitor.join()
assert pages == [200] * 5, pages
assert client.output().splitlines() == [f"your url is: {client.url}"] * 2

# Held, then 502.
client.kill()
assert lt.get(server, "demo").status == 502

# Nobody else gets the name meanwhile; its owner does, at once.
thief = lt.Client(server, service, name="demo", wait=False)
assert thief.wait() == 3, thief.log()
client.start()
assert lt.get(server, "demo").status == 200

# After the grace period it is free: 404, and whoever comes may have it.
client.kill()
lt.wait_until(lambda: lt.get(server, "demo").status == 404)
other = lt.Client(server, service, name="demo")
assert lt.get(server, "demo").status == 200
# The old owner's secret is worth nothing any more.
client.start(wait=False)
assert client.wait() == 3, client.log()

# Nor is a name held for one that has ended while the master thought about its
# claim.
server.signal(lt.signal.SIGSTOP)
conn = ltp02.connect(server.address, {
    "control": {"name": "ended", "client": ltp02.CLIENT}, "ext": {}})
conn.shutdown(socket.SHUT_WR)
server.signal(lt.signal.SIGCONT)
assert "ext" in ltp02.read_frame(conn) and ltp02.read_frame(conn) is None
assert lt.Client(server, service, name="ended").stop() == 0

# A goodbye frees the name at once.
assert other.stop() == 0
lt.wait_until(lambda: lt.get(server, "demo").status == 404)
again = lt.Client(server, service, name="demo")
assert lt.get(server, "demo").status == 200

# A client that is stopped (not ended) is given up after missed heartbeats;
# it comes back by itself when it goes on.
quick = lt.Server(options={"heartbeat": 1, "queue-timeout": 2})
sleeper = lt.Client(quick, service, name="sleeper")
assert lt.get(quick, "sleeper").status == 200
sleeper.signal(lt.signal.SIGSTOP)
quick.wait_log("session ended tunnel=sleeper.*heartbeats missed")
sleeper.signal(lt.signal.SIGCONT)
lt.wait_until(lambda: lt.get(quick, "sleeper").status == 200)
