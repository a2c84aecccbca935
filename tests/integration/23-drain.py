#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""SIGTERM: what is joined may end in its time, all else is over at once; a
new server takes the port, and the clients come back to it."""

import lt
import ltp02

service = lt.Service()
server = lt.Server(workers=2, options={"drain": 600})
client = lt.Client(server, service, name="demo")
old = ltp02.OldClient(server, "old", service)
kept = lt.Visitor(server)
assert kept.request(server.host("demo")).status == 200
kept_old = lt.Visitor(server)
assert kept_old.request(server.host("old")).status == 200

workers = server.workers()
server.signal(lt.SIGTERM)
# The old client cannot be told to come back: its session ends.
assert old.closed.wait(lt.PATIENCE)
# The port is free for a new server, while the old one serves what it has.
lt.wait_until(lambda: lt.refused(server.address))
new = lt.Server(listen=(f"127.0.0.1:{server.port}",))
lt.wait_until(lambda: lt.get(new, "demo").status == 200)
assert server.alive()
assert kept.request(server.host("demo"), "/kept").json()["path"] == "/kept"
kept.close()
kept_old.close()
assert server.wait() == 0
assert not any(map(lt.exists, workers))
assert lt.get(new, "demo").status == 200

# A second SIGTERM ends what the first one left.
kept = lt.Visitor(new)
assert kept.request(new.host("demo")).status == 200
new.signal(lt.SIGTERM)
new.wait_log("draining: asked")
assert new.stop() == 0
try:
    assert kept.read_all() == b""
except ConnectionResetError:
    pass
