#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Visitors of the tunnel of a Node.js client: pages, bodies, upgrades, many at
once over ten connections; a client that is silent, that has none, that wants
too many."""

import threading
import time

import ca
import lt
import node
from tlsvisitor import TlsVisitor

server = lt.Server(options={"response-timeout": 60, "queue-timeout": 600})
service = lt.Service()
client = node.NodeClient(server, service, "/demo")

# A page, with the headers that all tunnels set, and the end of the connection
# behind it whatever the visitor wanted.
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("demo"), "/hello", headers={
        "Connection": "keep-alive", "X-Forwarded-For": "192.0.2.1"}))
    page = visitor.read_response()
    assert page.status == 200 and page.json()["path"] == "/hello"
    assert page.seen("Connection") == ["close"], page.body
    assert page.seen("X-Forwarded-For") == ["127.0.0.1"]
    assert page.seen("Host") == [server.host("demo")]
    assert visitor.read_all() == b""

body = lt.stream(3 << 20)
page = lt.get(server, "demo", method="POST", body=body)
assert page.json()["body_sha256"] == lt.sha256(body)
for path in "/bytes/3000000", "/chunked/3000000":
    assert lt.get(server, "demo", path).sha256 == lt.sha256_of(3000000)

# An upgrade keeps its header, and what follows is nobody's business.
with lt.Visitor(server) as visitor:
    page = visitor.send(lt.request(server.host("demo"), headers={
        "Connection": "Upgrade", "Upgrade": "echo"})).file.readline()
    assert page.startswith(b"HTTP/1.1 101"), page
    while visitor.file.readline() != b"\r\n":
        pass
    for i in range(100):
        visitor.send(b"%10d" % i)
        assert visitor.read(10) == b"%10d" % i

# What is refused in all tunnels is refused here.
with lt.Visitor(server) as visitor:
    assert visitor.request(server.host("demo"), method="GET", headers={
        "Transfer-Encoding": "x"}).status == 400
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("demo"), "/slow/0.2"))
    visitor.send(lt.request(server.host("nobody")))
    assert visitor.read_response().status == 200
    assert visitor.read_all() == b""
assert lt.get(server, "demo", "/close").status == 502
assert lt.get(server, "demo", "/reset").status == 502

# 200 at once: all are served, no more than ten at a time.
pages = []
visitors = [threading.Thread(target=lambda: pages.append(
    lt.get(server, "demo", "/slow/0.05").status)) for _ in range(200)]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
assert pages == [200] * 200, pages
assert 1 < client.most <= 10, client.most
lt.wait_until(lambda: server.metrics()["idle"] == 10)

# A visitor who does not go away keeps no connection.
kept = [lt.Visitor(server) for _ in range(30)]
for visitor in kept:
    visitor.send(lt.request(server.host("demo")))
for visitor in kept:
    assert visitor.read_response().status == 200
lt.wait_until(lambda: server.metrics()["idle"] == 10)
for visitor in kept:
    visitor.close()

# A client that wants three times as many as it was told: only that many serve,
# and it is not made to connect over and over.
greedy = node.NodeClient(server, service, "/greedy", wanted=30)
lt.wait_until(lambda: greedy.connects >= 30)
before, since = greedy.connects, time.monotonic()
pages = []
while time.monotonic() - since < 3:
    pages.append(lt.get(server, "greedy").status)
assert pages == [200] * len(pages)
rate = (greedy.connects - before - len(pages)) / (time.monotonic() - since)
assert rate < 30, f"{rate} connects a second besides those of the visitors"
assert greedy.most <= 10
greedy.close()

# No connection at all: visitors wait for one.
tunnel = node.register(server, "/empty")
waiting = lt.Visitor(server).send(lt.request(server.host("empty"), "/late"))
lt.wait_until(lambda: server.metrics()["queued"] == 1)
proxy = node.connect(tunnel)
assert proxy.recv(9) == b"GET /late"
proxy.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
assert waiting.read_response().body == b"ok"
# Used once, and not for the next one.
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("empty")))
    lt.wait_until(lambda: server.metrics()["queued"] == 1)
    waiting.close()
    while proxy.recv(4096):
        pass
    proxy.close()
    proxy = node.connect(tunnel)
    assert proxy.recv(5) == b"GET /"
    proxy.close()
    assert visitor.read_response().status == 502

# One who is as silent as the npm client while its local service is down: an
# answer in time, and the connection, which that client still counts, is kept
# until it ends it. An upload goes on for as long as it moves.
slow = lt.Server(options={"response-timeout": 3, "grace-old": 3})
tunnel = node.register(slow, "/silent")
proxies = [node.connect(tunnel) for _ in range(10)]
visitors = [lt.Visitor(slow).send(lt.request(slow.host("silent")))
            for _ in proxies]
for visitor in visitors:
    page = visitor.read_response()
    assert page.status == 504 and b"did not answer in time" in page.body
    visitor.close()
assert "session ended" not in slow.log()
quiet = time.monotonic()
while time.monotonic() - quiet < 4.5:
    time.sleep(0.1)
assert "session ended" not in slow.log(), "its client is still there"
for proxy in proxies:
    assert proxy.recv(5) == b"GET /"
    while proxy.recv(4096):
        pass
    proxy.close()
proxy = node.connect(tunnel)
with lt.Visitor(slow) as visitor:
    visitor.send(f"POST / HTTP/1.1\r\nHost: {slow.host('silent')}\r\n"
                 "Content-Length: 50\r\n\r\n")
    assert proxy.recv(4) == b"POST"
    for _ in range(50):
        time.sleep(0.1)
        visitor.send("x")
    read = b""
    while not read.endswith(50 * b"x"):
        read += proxy.recv(4096)
    proxy.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert visitor.read_response().body == b"ok"
proxy.close()
slow.wait_log("session ended tunnel=silent end=\"no connection in time\"")

# Behind TLS: the client asks over it, and visitors come over it.
pair = ca.Authority()
cert = pair.issue("localhost", "safe.localhost")
secure = lt.Server(config=f"""
    tls-certificate = "{cert.cert}"
    tls-key = "{cert.key}"
    listen "127.0.0.1:0" {{ kinds = {{ "tls" }} }}
""", listen=(), wait=False)
secure.ports = [int(secure.wait_log(r"listening on \S+:(\d+)").group(1))]
with TlsVisitor(secure, "localhost", pair.client_context()) as visitor:
    tunnel = visitor.request(f"localhost:{secure.port}", "/safe").json()
    assert tunnel["url"] == f"https://safe.localhost:{secure.port}", tunnel
proxy = node.connect(tunnel)
with TlsVisitor(secure, "safe.localhost", pair.client_context()) as visitor:
    visitor.send(lt.request(secure.host("safe")))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += proxy.recv(4096)
    assert b"X-Forwarded-Proto: https\r\n" in head, head
    proxy.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    proxy.close()
    assert visitor.read_response().body == b"ok"
    assert visitor.read_all() == b""
