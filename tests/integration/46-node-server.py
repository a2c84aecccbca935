#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ltclient with a server of the Node.js localtunnel: pages, bodies, upgrades,
many visitors; names that are taken; a server that ends, that has no room for
all connections, that answers something else; a local service that ends."""

import json
import re
import socket
import threading
import time

import ca
import lt
import node

server = node.NodeServer()
service = lt.Service()


def fails(at, *args, status=1, env=None, **answers):
    """ltclient has no tunnel: what it says."""
    if answers:
        at.answers = answers
    client = lt.Client(at, service, *args, env=env, wait=False)
    assert client.wait() == status, (client.process.returncode, client.log())
    assert client.output() == "", client.output()
    at.answers = {}
    return client.log()


def served(name="demo", path="/", at=None):
    return lt.get(at or server, name, path).status == 200


# --- pages ------------------------------------------------------------------

client = lt.Client(server, service, "-v", name="demo")
assert client.output() == f"your url is: http://demo.localhost:{server.port}\n"
assert re.search(f"localhost:{server.port} is a server of the Node.js "
                 "localtunnel", client.log()), client.log()
tunnel = server.tunnels["demo"]
lt.wait_until(lambda: len(tunnel.pool) == 10)

# One connection carries what comes until its end: all pages over the first.
for i in range(20):
    page = lt.get(server, "demo", f"/hello?x={i}")
    assert page.status == 200 and page.json()["path"] == f"/hello?x={i}"
    assert page.seen("Host") == [server.host("demo")]
assert tunnel.connects <= 10 + 20
body = lt.stream(50 << 20)
page = lt.get(server, "demo", "/up", method="POST", body=body)
assert page.json()["body_sha256"] == lt.sha256(body)
for path in "/bytes/20000000", "/chunked/3000000":
    assert lt.get(server, "demo", path).sha256 == \
        lt.sha256_of(int(path.rpartition("/")[2]))

# An upgrade, and what comes after it.
with lt.Visitor(server) as visitor:
    head = visitor.send(lt.request(server.host("demo"), headers={
        "Connection": "Upgrade", "Upgrade": "echo"})).file.readline()
    assert head.startswith(b"HTTP/1.1 101"), head
    while visitor.file.readline() != b"\r\n":
        pass
    for i in range(100):
        visitor.send(b"%10d" % i)
        assert visitor.read(10) == b"%10d" % i

# The local service is not called before a visitor comes.
quiet = lt.Listener()
early = lt.Client(server, quiet, name="early")
lt.wait_until(lambda: len(server.tunnels["early"].pool) == 10)
assert quiet.accepted == 0
assert early.stop() == 0

# 200 at once: all are served, over ten connections at the most.
pages = []
visitors = [threading.Thread(target=lambda: pages.append(
    lt.get(server, "demo", "/slow/0.05").status)) for _ in range(200)]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
assert pages == [200] * 200, pages
assert tunnel.most <= 10, tunnel.most

# A local service that ends each connection: each is replaced.
closing = lt.Listener(lambda conn: conn.recv(65536) and conn.sendall(
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"))
ending = lt.Client(server, closing, name="ending")
for _ in range(30):
    assert served("ending")
assert server.tunnels["ending"].most <= 10
lt.wait_until(lambda: len(server.tunnels["ending"].pool) == 10)
assert ending.stop() == 0

# --- the local service ------------------------------------------------------

assert client.stop() == 0
lt.wait_until(lambda: "demo" not in server.tunnels)
local = lt.Service()
client = lt.Client(server, local, name="demo")
assert served()
local.close()
for method in "GET", "POST":
    page = lt.get(server, "demo", method=method,
                  body=b"x" * 100000 if method == "POST" else None)
    assert page.status == 502 and b"cannot be reached" in page.body, page.body
assert "cannot be reached" in client.log()
local = lt.Service(port=local.port)
lt.wait_until(served)
assert len(server.tunnels["demo"].all) <= 10
assert client.stop() == 0

# --- options ----------------------------------------------------------------

away = lt.Service("away", host="127.0.0.2")
unix = lt.Service("unix", unix=lt.tmp + "/service")
for args, target, host in (
        (("-l", "127.0.0.2"), away.port, None),
        (("-l", "127.0.0.2", "--host-header", "rewrite"), away.port,
         away.target),
        (("--host-header", "app.example"), service, "app.example"),
        ((), unix, None)):
    client = lt.Client(server, target, *args, name="options")
    for _ in range(3):  # each request of a connection that is used again
        page = lt.get(server, "options")
        assert page.status == 200, page.body
        assert page.seen("Host") == [host or server.host("options")]
    assert client.stop() == 0
    lt.wait_until(lambda: "options" not in server.tunnels)

printing = lt.Client(server, service, "--print-requests", name="printing")
events = lt.Client(server, service, "--print-requests", "--json", name="json",
                   wait=False)
events.wait_output('"up"')
for name in "printing", "json":
    for path in "/a?b=c", "/status/404":
        lt.get(server, name, path)
printing.wait_log(r"^GET /a\?b=c 200 \d+ ms\nGET /status/404 404 \d+ ms$")
lt.wait_until(lambda: len(events.output().splitlines()) == 3)
assert [(e["event"], e.get("path")) for e in map(
    json.loads, events.output().splitlines())] == [
        ("up", None), ("request", "/a?b=c"), ("request", "/status/404")]
assert printing.stop() == 0 and events.stop() == 0

# --- names ------------------------------------------------------------------

unnamed = lt.Client(server, service)
assert unnamed.url == f"http://tiny-mule-10.localhost:{server.port}"
assert served("tiny-mule-10")
holder = lt.Client(server, service, name="taken")
refused = lt.Client(server, service, name="taken", wait=False)
assert refused.wait() == 3 and refused.output() == ""
assert "the name taken is taken: the server gave tiny-mule-11 in its place" \
    in refused.log() and "--fallback" in refused.log(), refused.log()
# It opened no connection, so that the name it was given is soon free.
assert server.all[-1].name == "tiny-mule-11" and server.all[-1].connects == 0
lt.wait_until(lambda: "tiny-mule-11" not in server.tunnels)
other = lt.Client(server, service, "--fallback", name="taken")
assert other.url == f"http://tiny-mule-12.localhost:{server.port}"
assert "this tunnel is called tiny-mule-12" in other.log()
assert served("tiny-mule-12") and served("taken")
# Ended by request: the name is free.
for client in other, holder:
    assert client.stop() == 0
lt.wait_until(lambda: not {"taken", "tiny-mule-12"} & set(server.tunnels))
log = fails(server, "-s", "a-b")
assert "the server refuses: " + node.BAD_NAME in log, log
assert fails(server, "-s", "a-b", "--fallback").count("refuses") == 1

# What such a server cannot do is not done.
for args, text in ((("tls",), "tls tunnels"), (("--auth", "a:b"), "--auth"),
                   (("--allow", "127.0.0.1"), "--allow")):
    log = fails(server, *args)
    assert "a server of the Node.js localtunnel has no " in log, log
    assert text in log, log

# --- the server goes away ---------------------------------------------------

named = lt.Client(server, service, name="demo")
assert served()
urls = named.output(), unnamed.output()
for silent in False, True:
    port = server.port
    server.close()
    for client in named, unnamed:
        client.wait_log("lost the server")
        assert client.alive()
    for client in named, unnamed:
        client.wait_log("Connection refused; trying again")
    server.open(port)
    for name in "demo", "tiny-mule-10":
        lt.wait_until(lambda: server.tunnels.get(name)
                      and len(server.tunnels[name].all) == 10)
        assert served(name)
assert urls == (named.output(), unnamed.output())
# The tunnel alone is gone, and its port refuses: asked for again.
server.drop(server.tunnels["demo"])
lt.wait_until(lambda: server.tunnels.get("demo"))
lt.wait_until(served)
# While somebody else has the name it is asked for again and again, and had
# once it is free.
old = server.tunnels["demo"]
with server.lock:
    server.drop(old)
    thief = server.tunnels["demo"] = node.Tunnel(server, "demo")
    thief.empty_since = float("inf")
named.wait_log("the name demo is taken: the server gave tiny-mule-")
assert named.alive()
thief.empty_since = 0
lt.wait_until(lambda: server.tunnels.get("demo") not in (None, thief))
lt.wait_until(served)
# An answer that is none, or a refusal, does not end a tunnel that was up.
for answer in node.page(404, b"?"), node.page(403, b'{"message":"no"}'):
    server.answers = {"*": answer}
    before = len(server.asked)
    server.drop(server.tunnels["demo"])
    lt.wait_until(lambda: len(server.asked) >= before + 2)
    assert named.alive()
    server.answers = {}
    lt.wait_until(served)
assert urls == (named.output(), unnamed.output())
assert named.stop() == 0 and unnamed.stop() == 0

lost = lt.Client(server, service, "--no-reconnect", name="lost")
lt.wait_until(lambda: len(server.tunnels["lost"].pool) == 10)
server.drop(server.tunnels["lost"])
assert lost.wait() == 5 and "lost the server" in lost.log()

# --- how many connections ---------------------------------------------------

# Told 12, given 10: those that are too many come ever more seldom, and the
# others serve.
narrow = node.NodeServer(max_conns=12, accepts=10)
client = lt.Client(narrow, service, name="demo")
tunnel = narrow.tunnels["demo"]
lt.wait_until(lambda: tunnel.connects >= 12 and len(tunnel.pool) == 10)
before, since = tunnel.connects, time.monotonic()
pages = 0
while time.monotonic() - since < 5:
    assert served(at=narrow)
    pages += 1
assert pages > 20
assert tunnel.connects - before <= 2 * 5, tunnel.connects - before
assert narrow.asked.count("/demo") == 1
assert client.stop() == 0

# Hundreds, or none: at least one, at most 64.
for told, opened in (500, 64), (0, 1), (1, 1), (-5, 1), ("x", 1):
    odd = node.NodeServer(max_conns=told, accepts=1000)
    client = lt.Client(odd, service, name="demo")
    lt.wait_until(lambda: len(odd.tunnels["demo"].all) == opened)
    for _ in range(5):
        assert served(at=odd)
    assert odd.tunnels["demo"].most <= opened
    assert client.stop() == 0

# A port where each connection is ended at once, and one where nobody listens:
# asked for again, but not in a storm.
hasty = node.NodeServer(accepts=-1)
deaf = node.NodeServer(extra={"port": lt.free_port()})
clients = [lt.Client(at, service, name="demo") for at in (hasty, deaf)]
since = time.monotonic()
while time.monotonic() - since < 6:
    time.sleep(0.1)
for at, most in (hasty, 120), (deaf, 0):
    assert 2 <= at.asked.count("/demo") <= 8, at.asked
    assert sum(t.connects for t in at.all) <= most, \
        [t.connects for t in at.all]
for client in clients:
    assert "your url is" in client.output() and client.stop() == 0

# --- ip, cached_url, TLS ----------------------------------------------------

elsewhere = socket.create_server(("127.0.0.3", 0))
extra = node.NodeServer(extra={
    "ip": "127.0.0.3", "port": elsewhere.getsockname()[1],
    "cached_url": "https://cache.example/demo", "unknown": [{}]})
client = lt.Client(extra, service, name="demo")
assert client.output() == f"your url is: http://demo.localhost:{extra.port}" \
    "\nyour cachedUrl is: https://cache.example/demo\n"
for _ in range(10):
    conn, _ = elsewhere.accept()
    conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert conn.recv(12) == b"HTTP/1.1 200"
assert client.stop() == 0

authority = ca.Authority()
safe = node.NodeServer(
    context=ca.server_context(authority.issue("localhost")))
client = lt.Client(safe, service, "--ca", authority.cert, "-v", name="demo")
assert client.url == f"https://demo.localhost:{safe.port}"
assert "it speaks TLS, but not LTP" in client.log()
lt.wait_until(lambda: len(safe.tunnels["demo"].pool) == 10)
assert client.stop() == 0
# One that wants HTTP, and ends the handshake with those who offer LTP alone.
client = lt.Client(safe, service, name="demo", wait=False)
assert client.wait() == 1 and "not to be trusted" in client.log()

# --- other answers ----------------------------------------------------------

for answer, status, text in (
        (node.page(401, b""), 4, "the server refuses: it wants a login"),
        (node.page(401, b'{"message":"who are you?"}'), 4, "who are you?"),
        (node.page(403, b'{"message":"no \\u001b[31m"}'), 1,
         r"the server refuses: no \x"),
        (node.page(403, b"<html>"), 1, "answers 403"),
        (node.page(404, b"?"), 1, "answers 404"),
        (node.page(301, b"", [("Location", "https://there.example/")]), 1,
         "answers 301 and leads to https://there.example/"),
        (node.page(200, b"<html>"), 1, "something else than JSON"),
        (node.page(200, b"[]"), 1, "something else than JSON"),
        (node.page(200, b"{}"), 1, "without a name"),
        (node.page(200, b"x" * 100_000), 1, "answers too much"),
        (b"SSH-2.0-x\r\n", 1, "does not answer in HTTP")):
    server.answers = {"/demo": answer}
    client = lt.Client(server, service, name="demo", wait=False)
    assert client.wait() == status, (answer, client.log())
    assert client.output() == "" and text in client.log(), client.log()
    assert "\x1b" not in client.log()
for answer in node.page(503, b"later"), b"", b"HTTP/1.1 200 OK\r\n":
    lt.wait_until(lambda: "demo" not in server.tunnels)
    server.answers = {"/demo": answer}
    client = lt.Client(server, service, name="demo", wait=False)
    client.wait_log("; trying again")
    server.answers = {}
    client.wait_up()
    assert client.stop() == 0
