#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The tunnel of a Node.js client, which cannot ask again, when its worker
dies, when all of them do, when the client is started again, and when the
server leaves."""

import threading

import lt
import node

server = lt.Server(workers=3, options={"queue-timeout": 600, "grace-old": 600})
service = lt.Service()
clients = [node.NodeClient(server, service, f"/demo{i}") for i in range(6)]


def served(name):
    return lt.get(server, name).status == 200


def kill(pids):
    ready = server.log().count("is ready")
    for pid in pids:
        lt.kill(pid)
    lt.wait_until(
        lambda: server.log().count("is ready") == ready + len(pids))


# One after the other, so each owner is among them, with visitors all the time.
for round_ in range(2):
    for pid in server.workers():
        pages = []
        visitors = [threading.Thread(target=lambda n=c.name: pages.append(
            served(n))) for c in clients]
        ready = server.log().count("is ready")
        lt.kill(pid)
        lt.wait_until(lambda: not lt.exists(pid))
        lt.wait_until(lambda: server.log().count("is ready") == ready + 1)
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        assert pages == [True] * len(clients), pages
assert "session adopted" in server.log()
assert not any(c.refused for c in clients)
assert len({c.tunnel["port"] for c in clients}) == len(clients)

# All of them at once: the ports are open still, and the first one that is
# ready goes on.
kill(server.workers())
for client in clients:
    assert served(client.name)
assert not any(c.refused for c in clients)
assert server.metrics()["tunnels"] == len(clients)

for client in clients[1:]:
    client.close()

# One that is started again at the same address gets its name and port again,
# as soon as it has been seen gone; one at another address does not.
gone = clients[0]
with lt.Visitor(server, source=("127.0.0.2", 0)) as other:
    host = f"localhost:{server.port}"
    gone.close()
    lt.wait_until(lambda: server.metrics()["idle"] == 0)
    assert other.request(host, "/demo0").json()["id"] != "demo0"
again = lt.wait_until(lambda: (t := node.register(server, "/demo0"))
                      ["id"] == "demo0" and t)
assert again["port"] == gone.tunnel["port"]
client = node.NodeClient(server, service, "/demo9")
assert served("demo9")

# The server leaves: who is served is served, the port is closed.
kept = lt.Visitor(server)
kept.send(lt.request(server.host("demo9"), headers={
    "Connection": "Upgrade", "Upgrade": "echo"}))
assert kept.file.readline().startswith(b"HTTP/1.1 101")
while kept.file.readline() != b"\r\n":
    pass
server.signal(lt.SIGTERM)
lt.wait_until(lambda: client.refused)
assert server.alive()
kept.send(b"still here")
assert kept.read(10) == b"still here"
kept.close()
assert server.wait() == 0
assert lt.refused(("127.0.0.1", client.tunnel["port"]))
