#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every page that the server itself can say: it arrives whole, whatever the
visitor has still to send; it is HTML for browsers and one line for the rest;
nothing that the visitor sent comes back as HTML."""

import select

import lt
import ltp02

BODY = lt.stream(300_000)
HTML = {"Accept": "text/html,*/*;q=0.8"}


def check(visitor, status, method="GET", html=None):
    """Reads a page and the end after it, which must not be a reset. html
    says which of the two it has to be."""
    page = visitor.read_response(method)
    assert page and page.status == status, page and (page.status, page.body)
    assert visitor.read_all() == b"", "something follows the page"
    assert page.header("Connection") == "close"
    assert "no-store" in page.header("Cache-Control")
    assert page.header("Server").startswith("ltserver/")
    if status == 503:
        assert page.header("Retry-After").isdigit()
    if method == "HEAD":
        assert page.body == b""
    else:
        assert int(page.header("Content-Length")) == len(page.body) > 0
    kind = page.header("Content-Type")
    if kind.startswith("text/plain"):
        assert not html, "no HTML for a browser"
        assert page.body.count(b"\n") <= 1 and b"<" not in page.body
    else:
        assert kind.startswith("text/html") and html is not False, kind
        assert b"</html>" in page.body or method == "HEAD"
    return page


def send_ways(server, host, path="/"):
    """Requests of all who can ask: browsers and others, HEAD, and one with
    a body that nobody will read. Returns (visitor, what check() takes)."""
    ways = []
    for headers in {}, HTML:
        for method, body in (("GET", None), ("HEAD", None), ("POST", BODY)):
            visitor = lt.Visitor(server)
            visitor.send(lt.request(host, path, method, headers, body))
            ways.append((visitor, method, bool(headers)))
    return ways


def check_ways(status, ways):
    for visitor, method, html in ways:
        with visitor:
            check(visitor, status, method, html)


def check_raw(server, data, status):
    """A page to a head that is no good, so that it may be of either kind.
    What comes after the head does not matter."""
    for more in b"", BODY:
        with lt.Visitor(server) as visitor:
            visitor.send(data + more)
            check(visitor, status)


server = lt.Server()
service = lt.Service()
client = lt.Client(server, service, name="demo")

# 404: no such tunnel, no such host.
for host in (server.host("nobody"), "nobody.localhost", "example.com",
             "127.0.0.1", "demo.localhost.example.com", "demolocalhost",
             "demo-localhost", "[::1]"):
    check_ways(404, send_ways(server, host))

# 400: no host, or nothing that could be a request.
for data in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
             b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", b"GET /\r\n\r\n",
             b"hello\r\n\r\n", b"\0\1\2\3\r\n\r\n",
             b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
    check_raw(server, data, 400)
with lt.Visitor(server) as visitor:
    visitor.send(b"GET / HTTP/1.1\r\nHost: demo.loc").shut()
    check(visitor, 400)

# 405: this is no proxy.
check_raw(server, b"CONNECT demo.localhost:443 HTTP/1.1\r\n"
          b"Host: demo.localhost:443\r\n\r\n", 405)

# 431: too large a head, ended or not.
for length in 17_000, 100_000:
    head = lt.request(server.host("demo"), headers={"X": "x" * length})
    check_raw(server, head, 431)
    check_raw(server, head[:-4], 431)

# 421: a later request on the connection is for another host.
for headers in {}, HTML:
    for method, body in (("GET", None), ("HEAD", None), ("POST", BODY)):
        with lt.Visitor(server) as visitor:
            assert visitor.request(server.host("demo")).status == 200
            visitor.send(lt.request(server.host("nobody"), "/", method,
                                    headers, body))
            check(visitor, 421, method, bool(headers))

# 502: the local service has nothing to say.
check_ways(502, send_ways(server, server.host("demo"), "/close"))

# Hostile names and paths are never HTML of ours.
for host in ("<script>alert(1)</script>.localhost", "a&b;'c'.localhost",
             'a"onload="x.localhost', "x.<b>", "a'b.localhost"):
    page = lt.get(server, host, headers=HTML)
    assert page.status in (400, 404), (host, page.status)
    assert host.encode() not in page.body, page.body
for path in ("/<script>alert(1)</script>", "/meta/<script>alert(1)</script>",
             "/?\"'><script>"):
    for host in server.host("nobody"), f"localhost:{server.port}":
        page = lt.get(server, host, path, headers=HTML)
        assert page.status in (200, 400, 404), (path, page.status)
        assert b"<script" not in page.body, page.body

# The base domain has a few pages of its own.
base = f"localhost:{server.port}"
for host in base, "localhost.", "LOCALHOST:1":
    for headers in {}, HTML:
        page = lt.get(server, host, headers=headers)
        assert page.status == 200
        assert f"ltclient -S {server.url}".encode() in page.body
        assert page.header("Content-Type").startswith(
            "text/html" if headers else "text/plain")
        assert page.header("Connection") == "close"
        assert "no-store" in page.header("Cache-Control")
assert lt.get(server, base, "/meta/version").body == b"ltserver/1.0"
assert lt.get(server, base, "/meta/version?x=1").body == b"ltserver/1.0"
assert int(lt.get(server, base, "/meta/backend").body) == server.port
metrics = lt.get(server, base, "/meta/metrics")
assert {"name": "tunnels", "value": 1} in metrics.json()
assert all(set(m) == {"name", "value"} for m in metrics.json())
for path in "/", "/meta/version", "/meta/backend", "/meta/metrics":
    with lt.Visitor(server) as visitor:
        page = visitor.request(base, path, "HEAD")
        assert page.status == 200 and visitor.read_all() == b""
        assert int(page.header("Content-Length")) > 0
    for method in "POST", "DELETE", "OPTIONS":
        with lt.Visitor(server) as visitor:
            visitor.send(lt.request(base, path, method, body=BODY))
            page = check(visitor, 405, html=False)
            assert page.header("Allow") == "GET, HEAD"
for path in "/meta", "/meta/", "/meta/x", "/meta/versionx", "/demo", "//":
    check_ways(404, send_ways(server, base, path))

# 408: the head does not come in time, and what comes of it does not prolong
# the time. A connection without a byte ends without one.
slow = lt.Server(options={"head-timeout": 1})
half = b"GET / HTTP/1.1\r\nHost: demo.localhost\r\nX: " + b"x" * 10_000
with lt.Visitor(slow) as visitor, lt.Visitor(slow) as mute, \
        lt.Visitor(slow) as dripping:
    visitor.send(half)
    dripping.send(half)
    while not select.select([dripping.socket], [], [], 0.1)[0]:
        dripping.send("x")
    check(dripping, 408)
    check(visitor, 408)
    assert mute.read_all() == b""

# 503: an old client that never opens a proxy connection, and a queue for
# one visitor.
full = lt.Server(options={"queue-limit": 1, "queue-timeout": 600,
                          "heartbeat": 3600})
control, _ = ltp02.open_control(full.address, "demo")
with lt.Visitor(full) as first:
    first.send(lt.request(full.host("demo")))
    lt.wait_until(lambda: {"name": "queued", "value": 1} in lt.get(
        full, f"localhost:{full.port}", "/meta/metrics").json())
    check_ways(503, send_ways(full, full.host("demo")))
control.close()

# 502: nobody waits for ever for a proxy connection.
away = lt.Server(options={"queue-timeout": 1, "heartbeat": 3600})
control, _ = ltp02.open_control(away.address, "demo")
check_ways(502, send_ways(away, away.host("demo")))
# The control connection is lost and the name held.
control.close()
away.wait_log("session ended tunnel=demo")
check_ways(502, send_ways(away, away.host("demo")))

# 504: the client goes silent before the local service has answered.
def swallow(conn):
    while conn.recv(65536):
        pass


silent = lt.Server(options={"heartbeat": 2, "queue-timeout": 600})
old = ltp02.OldClient(silent, "demo", lt.Listener(swallow))
ways = send_ways(silent, silent.host("demo"))
lt.wait_until(lambda: old.joined == len(ways))
old.answer_pings = False
check_ways(504, ways)
