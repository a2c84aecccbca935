#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What the HTTP API of the Node.js localtunnel answers: registrations, names,
statuses, who may connect to the port of a tunnel, and for how long it is
there."""

import re
import socket

import lt
import node

HTML = {"Accept": "text/html,*/*;q=0.8"}
server = lt.Server(options={"node-ports": "20000-29999"})


def message(answer, status):
    assert answer.status == status, (answer.status, answer.body)
    assert answer.header("Content-Type").startswith("application/json")
    return answer.json()["message"]


# Under any name, by any method, with slashes doubled.
for path in "/?new", "/?new=1", "/?a=b&new", "//?new":
    for method in "GET", "POST", "DELETE":
        tunnel = node.register(server, path, method=method)
        assert set(tunnel) == {"id", "port", "max_conn_count", "url"}, tunnel
        name = tunnel["id"]
        assert re.fullmatch(r"[a-z]+-[a-z]+-\d{4}", name), name
        assert 20000 <= tunnel["port"] <= 29999
        assert tunnel["max_conn_count"] == 10
        assert tunnel["url"] == f"http://{name}.localhost:{server.port}"
head = node.ask(server, method="HEAD")
assert head.status == 200 and head.body == b""

# What the client sends as Host is not what the URL is made from.
page = lt.get(server, "LOCALHOST.:1", "/?new")
assert page.json()["url"].endswith(f".localhost:{server.port}"), page.body

# Under a name: by its rules, and another one if it is in use.
assert node.register(server, "/my-app")["id"] == "my-app"
assert node.register(server, "//other?x=y")["id"] == "other"
assert node.register(server, "/1234")["id"] == "1234"
assert node.register(server, "/" + 63 * "x")["id"] == 63 * "x"
assert node.register(server, "/my-app")["id"] != "my-app"
for name in "abc", "a-bc", "My-App", "-demos", "de_mo", "de.mo", 64 * "x":
    assert "between 4 and 63" in message(node.ask(server, "/" + name), 403)

# A browser opens none by a name, and some names nobody does.
tunnels = server.metrics()["tunnels"]
for path in "/demo", "/another-name", "/abc":
    page = node.ask(server, path, headers=HTML)
    assert page.status == 404 and b"<h1>" in page.body, page.body
for name in "api", "meta", "metrics", "robots.txt", "favicon.ico":
    assert node.ask(server, "/" + name).status == 404
for path in "/", "/?x=new":
    page = node.ask(server, path)
    assert page.status == 200 and b"localtunnel" in page.body
assert node.ask(server, "/demo/x").status == 404
assert node.ask(server, "/meta/version").body.startswith(b"ltserver/")
assert node.ask(server, "/meta/backend").body == str(server.port).encode()
assert server.metrics()["tunnels"] == tunnels

# Statuses.
status = node.ask(server, "/api/status").json()
assert status["tunnels"] == tunnels and status["mem"]["rss"] > 1 << 20, status
assert node.ask(server, "/api/tunnels/nobody/status").status == 404
tunnel = node.register(server, "/status-of")


def connected():
    page = node.ask(server, "/api/tunnels/status-of/status")
    return page.json()["connected_sockets"]


assert connected() == 0
mine = [node.connect(tunnel) for _ in range(3)]
lt.wait_until(lambda: connected() == 3)
mine.pop().close()
lt.wait_until(lambda: connected() == 2)

# Only whoever has asked may connect, on the address of the listener alone.
assert node.is_closed(node.connect(tunnel, "127.0.0.2"))
assert lt.refused(("127.0.0.2", tunnel["port"]))

# One too many is closed, but takes a place that gets free before that; and
# what speaks out of its turn is dropped.
mine += [node.connect(tunnel) for _ in range(8)]
lt.wait_until(lambda: connected() == 10)
assert node.is_closed(node.connect(tunnel))
mine[0].sendall(b"x")
assert node.is_closed(mine.pop(0))
lt.wait_until(lambda: connected() == 9)
mine.append(node.connect(tunnel))
lt.wait_until(lambda: connected() == 10)


def gets_a_place():
    """One connects, and another one ends in time for it."""
    late = node.connect(tunnel)
    mine.pop().close()
    mine.append(late)
    late.settimeout(2)
    try:
        return late.recv(1) != b""
    except socket.timeout:
        return connected() == 10


lt.wait_until(gets_a_place)

# A tunnel ends when nobody has been connected for a time; its port is closed.
brief = lt.Server(options={"grace-old": 1, "queue-timeout": 600})
lt.wait_until(lambda: brief.log().count("is ready") == 2)
processes = [brief.pid, *brief.workers()]


def descriptors():
    """How many each process has; the socket of a visitor may linger."""
    return [len(lt.links(pid)) for pid in processes]


at_first = descriptors()
tunnel = node.register(brief, "/never-used")
brief.wait_log("session ended tunnel=never-used end=\"no connection in time\"")
lt.wait_until(lambda: lt.refused(("127.0.0.1", tunnel["port"])))
assert lt.get(brief, "never-used").status == 404


def use_once():
    """False if the tunnel had ended before."""
    try:
        node.connect(node.register(brief, "/used-for-once")).close()
        return True
    except ConnectionRefusedError:
        return False


lt.wait_until(use_once)
brief.wait_log("session ended tunnel=used-for-once")
many = [node.register(brief) for _ in range(20)]
assert len({tunnel["port"] for tunnel in many}) == 20
lt.wait_until(lambda: brief.metrics()["tunnels"] == 0)
lt.wait_until(lambda: descriptors() == at_first)

# No port is left: a clear answer. They rest, so nor is there one later.
few = lt.Server(options={"grace-old": 1,
                         "node-ports": str(lt.free_port())})
tunnel = node.register(few, "/only-one")
answer = node.ask(few)
assert "no free port" in message(answer, 503)
assert answer.header("Retry-After") == "1"
few.wait_log("session ended tunnel=only-one")
lt.wait_until(lambda: few.metrics()["tunnels"] == 0)
assert "no free port" in message(node.ask(few), 503)
assert few.log().count("no free port") == 2

# Full otherwise.
full = lt.Server(options={"max-tunnels": 1})
node.register(full)
assert "no room" in message(node.ask(full), 503)

# Other addresses may connect if they are let.
wide = lt.Server(options={"node-any-address": "yes"})
tunnel = node.register(wide, "/status-of")
far = node.connect(tunnel, "127.0.0.3")
lt.wait_until(lambda: node.ask(wide, "/api/tunnels/status-of/status").json()
              == {"connected_sockets": 1})

# Off, by the setting or because others can come in; on if asked for.
for listen, option, is_on in (
        ("127.0.0.1:0", "no", False), ("127.0.0.1:0", "auto", True),
        ("0.0.0.0:0", "auto", False), ("0.0.0.0:0", "yes", True)):
    other = lt.Server(listen=(listen,), options={"node-api": option,
                                                 "open": "yes"})
    page = node.ask(other)
    assert (b"max_conn_count" in page.body) == is_on, page.body
    assert node.ask(other, "/api/status").status == (200 if is_on else 404)
    assert node.ask(other, "/demo").status == (200 if is_on else 404)
    assert other.metrics()["tunnels"] == (2 if is_on else 0)
