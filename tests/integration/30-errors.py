#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every page that the server itself can say: it arrives whole, whatever the
visitor has still to send; it is HTML for browsers and one line for the rest;
nothing that the visitor sent comes back as HTML."""

import os
import re
import select
import subprocess

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
    if status in (502, 503):
        assert page.header("Retry-After").isdigit()
    if b"</html>" in page.body:
        # For people in words, for programs in the status line.
        assert b"<h1>" + page.reason.encode() not in page.body, page.body
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
for data, says in ((b"GET / HTTP/1.1\r\n\r\n",
                    b"The request has no Host header."),
                   (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
                    b"Tunnels here are NAME.localhost."),
                   (b"GET /x/<y HTTP/1.1\r\nHost: localhost\r\n\r\n",
                    b"There is no such page here: /x/<y.")):
    with lt.Visitor(server) as visitor:
        visitor.send(data)
        assert says in visitor.read_response().body, says
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
for path in "/meta", "/meta/", "/meta/x", "/meta/versionx", "/demo/x", "//":
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
    lt.wait_until(lambda: full.metrics()["queued"] == 1)
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


# The command line: every fault begins with the program's name, says where
# help is, and ends with 2; a configuration that is good is named.
def run(*args, config=None):
    """Runs ltserver to its end; returns status and all that it said."""
    if config is not None:
        path = os.path.join(lt.tmp, "given.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(config)
        args = ("-c", path, *args)
    done = subprocess.run([os.path.join(lt.BUILD, "ltserver"), *args],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=lt.PATIENCE, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


for args, says in ((["-x"], "unknown option -x"),
                   (["--foo"], "unknown option --foo"),
                   (["--test=1"], "-t takes no argument"),
                   (["-l"], "-l needs an argument"),
                   (["--domain"], "--domain needs an argument"),
                   (["demo"], "demo: no arguments are expected"),
                   (["-l", "80000"], "a port is from 0 to 65535"),
                   (["-t", "-l", "80", "-l", "127.0.0.1:80"],
                    "is there twice: 127.0.0.1:80"),
                   (["-o", "drian=1"], 'do you mean "drain"?')):
    status, said = run(*args)
    assert status == 2, (args, status)
    assert re.match(r"ltserver: .*\nTry: ltserver --help\n\Z", said), said
    assert says in said, said
status, said = run("-t", config="grace = 4\n")
assert (status, said) == (0, f"{lt.tmp}/given.conf: good\n"), said
status, said = run("-t", config="grace = -1\nlisten *:80 { }\n")
assert status == 2 and re.match(
    f"{lt.tmp}/given.conf:1: .*\n{lt.tmp}/given.conf:2: .*quotes", said), said
status, said = run("-t", config='listen "80" {\n kinds = { "htp" }\n}\n')
assert status == 2 and f"{lt.tmp}/given.conf:2: listen: kinds:" in said, said

# With -v the log says where each connection goes; without it nothing of it.
# A client that is refused is named, whatever it calls itself.
talkative = lt.Server("-v", workers=1, options={"queue-timeout": 1})
lt.Client(talkative, lt.Service(), name="demo")
assert lt.get(talkative, "demo.localhost").status == 200
assert lt.get(talkative, "nobody.localhost").status == 404
assert lt.get(talkative, f"localhost:{talkative.port}").status == 200
for pattern in (r"claim sent id=\d+ tunnel=demo resume=no",
                r"claim answered id=\d+ tunnel=demo verdict=granted",
                r"route kind=control from=127.0.0.1:\d+ tunnel=demo hops=0 "
                r"to=here",
                r"route kind=proxy from=\S+ tunnel=demo hops=0 to=here",
                r"route kind=visitor from=\S+ tunnel=demo hops=0 to=here",
                r"route kind=visitor from=\S+ tunnel=nobody hops=0 to=page",
                r"route kind=visitor from=\S+ tunnel=- hops=0 to=page",
                r"session started tunnel=demo url=\S+ from=127.0.0.1:\d+$"):
    talkative.wait_log(pattern)
with ltp02.connect(talkative.address, {
        "control": {"name": 'a"\n', "client": ltp02.CLIENT}}) as refused:
    assert "error" in ltp02.read_frame(refused)
    talkative.wait_log(r'client refused from=\S+ tunnel=a\\x22\\x0a error=')
assert "route kind=" not in server.log()

# The workers that the master ends by itself have not died of a fault.
assert talkative.stop(lt.SIGINT) == 0
assert "stopping at once: asked to stop" in talkative.log()
assert " error: " not in talkative.log(), talkative.log()
