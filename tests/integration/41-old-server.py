#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ltclient with a server that speaks LTP/0.2 and nothing newer: it never
sends what would break that server, and comes back when it is lost."""

import re

import lt
import ltp02

server = ltp02.OldServer(heartbeat=1)
service = lt.Service()
client = lt.Client(server, service, name="demo")
assert client.url == f"http://demo.localhost:{server.port}", client.url

body = lt.stream(300_000)
for i in range(20):
    page = lt.get(server, "demo", f"/{i}", method="POST", body=body)
    assert page.json()["body_sha256"] == lt.sha256(body)
    page = lt.get(server, "demo", "/bytes/300000")
    assert page.sha256 == lt.sha256_of(300000)
lt.wait_until(lambda: server.pongs >= 3)

# Without a name the client makes up one, as an empty one would end the
# server.
unnamed = lt.Client(server, service)
name = re.fullmatch(r"http://([0-9a-f]{12})\.localhost:\d+",
                    unnamed.url).group(1)
assert lt.get(server, name).status == 200

# One that is taken: this server says so by an end without a word.
holder = ltp02.OldClient(("127.0.0.1", server.backend), "held", service)
taken = lt.Client(server, service, name="held", wait=False)
second = lt.Client(server, service, "--fallback", name="held")
assert re.fullmatch(r"http://[0-9a-f]{12}\.localhost:\d+", second.url)
assert lt.get(server, second.url.split("/")[2]).status == 200
assert taken.wait() == 3, taken.log()
assert "taken" in taken.log() and taken.output() == ""
assert lt.get(server, "held").status == 200 and not holder.closed.is_set()
assert not server.faults, server.faults
holder.close()

# The server ends and comes back, with another port for clients.
port = server.port
for backend in server.backend, 0:
    server.close()
    client.wait_log("lost the server")
    assert client.alive() and unnamed.alive()
    server = ltp02.OldServer(heartbeat=1, ports=(port, backend))
    for who in "demo", name:
        lt.wait_until(lambda: lt.get(server, who).status == 200)
    assert not server.faults, server.faults
assert client.output() == f"your url is: {client.url}\n"
assert unnamed.output() == f"your url is: {unnamed.url}\n"

# It sent what the language has, and in ext, beside it, all the rest.
for message in server.requests:
    request = message.get("control") or message["proxy"]
    assert set(request) == {"name", "client"}, message
    assert set(message) <= {"control", "proxy", "ext"}, message
    # A client text that nobody can guess.
    assert re.search("[0-9a-f]{32}$", request["client"]), message

# Ended by request: the old server sees the end and the name is free.
assert client.stop() == 0
lt.wait_until(lambda: "demo" not in server.tunnels)
other = ltp02.OldClient(("127.0.0.1", server.backend), "demo", service)
assert lt.get(server, "demo").status == 200
other.close()
