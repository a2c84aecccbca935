#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Visitors over TLS that ends at the server: the owner shakes hands, whoever
accepted; pages, names, tickets, both kinds of end, faults."""

import ssl
import threading
import warnings

import ca
import lt
from tlsvisitor import Cut, TlsVisitor

SIZE = 5_000_000

authority = ca.Authority()
exact = authority.issue("demo.localhost", "toy.localhost", "a.b.toy.localhost")
base = authority.issue("localhost", "*.sub.localhost", rsa=True)
server = lt.Server(workers=4, config=f"""
    tls-certificate = {{"{exact.cert}", "{base.cert}"}}
    tls-key = {{"{exact.key}", "{base.key}"}}
    queue-timeout = 2
    sessions = 1
    handshake-timeout = 2
    handshakes-per-address = 20
    heartbeat = 1
    grace = 4
""")
client = lt.Client(server, lt.Service(), name="toy")
other = lt.Client(server, lt.Service("other"), name="sub")
trusting = authority.client_context()
anybody = ssl._create_unverified_context()


def visit(name, context=trusting, **more):
    return TlsVisitor(server, name, context, **more)


def get(name, path="/", host=None, **more):
    with visit(name, **more) as visitor:
        return visitor.request(host or server.host(name.split(".")[0]), path,
                               headers={"Connection": "close"})


def alert(name, context=anybody, **more):
    try:
        visit(name, context, **more)
    except ssl.SSLError as e:
        return e.reason or str(e)
    raise AssertionError(f"{name} was served")


# One port: clear and TLS, from whichever worker accepts. The request says how
# it came.
before = server.metrics()
for i in range(30):
    page = get("toy.localhost", f"/{i}")
    assert page.status == 200 and page.json()["path"] == f"/{i}"
    assert page.seen("X-Forwarded-Proto") == ["https"]
    assert page.seen("X-Forwarded-Port") == [str(server.port)]
    assert lt.get(server, "toy").seen("X-Forwarded-Proto") == ["http"]
after = server.metrics()
assert after["handed_in"] > before["handed_in"]
assert after["handshakes"] - before["handshakes"] == 30
assert page.seen("X-Forwarded-For") == ["127.0.0.1"]

# Names: labels to the left are free; no capitals, no dot at the end; the
# certificate is the exact one, or that of the base domain.
with visit("a.b.toy.localhost") as visitor:
    assert visitor.request(f"a.b.toy.localhost:{server.port}").status == 200
    assert visitor.request("x.toy.LOCALHOST.").status == 200
with visit("TOY.localhost", anybody) as visitor:
    assert visitor.request(server.host("toy")).status == 200
with visit("x.sub.localhost") as visitor:
    assert visitor.tls.version() == "TLSv1.3"
    assert visitor.request("x.sub.localhost").json()["service"] == "other"
with visit("localhost") as visitor:
    page = visitor.request(f"localhost:{server.port}", "/meta/version")
    assert page.body == b"ltserver/1.0"
# No server name: our own pages, and no tunnel's.
with visit(None, anybody) as visitor:
    page = visitor.request("localhost", "/meta/version")
    assert page.status == 200, page.status
with visit(None, anybody) as visitor:
    assert visitor.request(server.host("toy")).status == 421
# SNI and Host have to name the same tunnel, on each request.
for name, host in (("toy.localhost", "localhost"),
                   ("localhost", server.host("toy")),
                   ("toy.localhost", server.host("demo")),
                   ("toy.localhost", "example.com")):
    with visit(name) as visitor:
        assert visitor.request(host).status == 421, (name, host)
with visit("toy.localhost") as visitor:
    assert visitor.request(server.host("toy")).status == 200
    assert visitor.request(server.host("demo")).status == 421

for name in ("nobody.localhost", "demo.example.com"):
    assert alert(name) == "TLSV1_UNRECOGNIZED_NAME", (name, alert(name))
# Protocols: HTTP/1.1 is agreed on, HTTP/2 alone is none.
with visit("toy.localhost", alpn=["h2", "http/1.1"]) as visitor:
    assert visitor.tls.selected_alpn_protocol() == "http/1.1"
    assert visitor.request(server.host("toy")).status == 200
assert "no application protocol" in alert(
    "toy.localhost", ssl._create_unverified_context(), alpn=["h2"])
trusting = authority.client_context()
# Old versions, however much the visitor would like them.
warnings.simplefilter("ignore", DeprecationWarning)
old = ssl._create_unverified_context()
old.minimum_version = ssl.TLSVersion.TLSv1
old.maximum_version = ssl.TLSVersion.TLSv1_1
old.set_ciphers("ALL:@SECLEVEL=0")
assert "PROTOCOL_VERSION" in alert("toy.localhost", old)

# Tickets, of 1.2 and 1.3, are good for their own name only, in every worker.
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context = ssl._create_unverified_context()
    context.maximum_version = version
    with visit("toy.localhost", context) as visitor:
        assert visitor.request(server.host("toy")).status == 200
        session = visitor.tls.session
        assert session.has_ticket
    before = server.metrics()
    for _ in range(12):
        with visit("toy.localhost", context, session=session) as visitor:
            assert visitor.tls.session_reused
            assert visitor.request(server.host("toy")).status == 200
    assert server.metrics()["resumed"] - before["resumed"] == 12
    with visit("localhost", context, session=session) as visitor:
        assert not visitor.tls.session_reused
    assert server.metrics()["resumed"] - before["resumed"] == 12

# 5 MB each way; a visitor who ends his side has the whole answer.
body = lt.stream(SIZE)
with visit("toy.localhost") as visitor:
    page = visitor.request(server.host("toy"), "/", "POST", body=body)
    assert page.json()["body_sha256"] == lt.sha256(body)
    visitor.send(lt.request(server.host("toy"), f"/bytes/{SIZE}")).shut()
    assert visitor.read_response().sha256 == lt.sha256_of(SIZE)
    assert visitor.recv() == b""


# The bytes that the local service got, and how they ended.
ends = []


def collects(conn):
    got = b""
    try:
        while data := conn.recv(65536):
            got += data
        ends.append((got, "end"))
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + got[-5:])
    except ConnectionResetError:
        ends.append((got, "reset"))


collector = lt.Client(server, lt.Listener(collects).port, name="demo")


def upload(chunks, finish):
    """What the local service made of it, and what the visitor got back."""
    ends.clear()
    with visit("demo.localhost") as visitor:
        visitor.send(lt.request("demo.localhost", method="POST", headers={
            "Transfer-Encoding": "chunked"}) + chunks)
        finish(visitor)
        try:
            answer = visitor.read_all()
        except (Cut, ConnectionResetError):
            answer = None
        lt.wait_until(lambda: ends)
    return ends[0][1], answer


assert upload(b"5\r\nhello\r\n0\r\n\r\n", TlsVisitor.shut)[0] == "end"
# Many programs just close: all was said, so that is an end too.
how, answer = upload(b"5\r\nhello\r\n0\r\n\r\n", TlsVisitor.cut)
assert how == "end" and answer.endswith(b"\r\n\r\n"), (how, answer)
# Cut in the middle: who knows by whom. That is no clean end.
assert upload(b"5\r\nhello\r\n", TlsVisitor.cut) == ("reset", None)
assert upload(b"5\r\nhel", TlsVisitor.cut) == ("reset", None)


# The answer breaks off: the visitor has no close_notify.
def breaks(conn):
    conn.recv(65536)
    conn.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    lt.wait_until(half.is_set)
    conn.setsockopt(lt.socket.SOL_SOCKET, lt.socket.SO_LINGER,
                    b"\1\0\0\0\0\0\0\0")


half = threading.Event()
collector.stop()
breaker = lt.Client(server, lt.Listener(breaks).port, name="demo")
with visit("demo.localhost") as visitor:
    visitor.send(lt.request("demo.localhost"))
    assert visitor.read(23).endswith(b"half")
    half.set()
    try:
        visitor.recv()
        raise AssertionError("a broken answer ended cleanly")
    except (Cut, ConnectionResetError):
        pass
breaker.stop()

# The local service is down: a page, over TLS, that really arrives.
down = lt.Client(server, lt.free_port(), name="demo")
page = get("demo.localhost")
assert page.status == 502 and b"cannot be reached" in page.body
# A head that is none, one that never ends, one that ends too soon.
with visit("toy.localhost") as visitor:
    visitor.send(b"GET / HTTP/1.1\r\nHost : toy.localhost\r\n\r\n")
    assert visitor.read_response().status == 400
with visit("toy.localhost") as visitor:
    visitor.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 20000)
    assert visitor.read_response().status == 431
with visit("toy.localhost") as visitor:
    visitor.send(b"GET / HTTP/1.1\r\nHost: toy.localhost").shut()
    assert visitor.read_response().status == 400
with visit("toy.localhost") as visitor:
    visitor.send(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00")
    assert visitor.read_all() == b"\x15\x03\x01\x00\x02\x02\x0a"

# The client is away: who comes is held unread, and served when it is back.
down.kill()
server.wait_log("session ended tunnel=demo")
pages = []
waiting = threading.Thread(target=lambda: pages.append(get("demo.localhost")))
waiting.start()
back = lt.Client(server, lt.Service(), name="demo", env=down.env)
waiting.join()
assert pages[0].status == 200, pages[0].status
# It stays away: 502 at the deadline, inside TLS; when its name is free, an
# alert.
ended = server.log().count("session ended tunnel=demo")
back.kill()
lt.wait_until(lambda: server.log().count("session ended tunnel=demo") > ended)
page = get("demo.localhost")
assert page.status == 502 and b"away" in page.body, page.body
lt.wait_until(lambda: server.metrics()["tunnels"] == 2)
assert alert("demo.localhost") == "TLSV1_UNRECOGNIZED_NAME"

# Handshakes that stall are ended; too many of one address end the oldest.
hello_in, hello_out = ssl.MemoryBIO(), ssl.MemoryBIO()
try:
    anybody.wrap_bio(hello_in, hello_out,
                     server_hostname="toy.localhost").do_handshake()
except ssl.SSLWantReadError:
    hello = hello_out.read()
before = server.metrics()
stalled = [lt.Visitor(server).send(hello) for _ in range(25)]
server.wait_log("too many TLS handshakes from this address")
assert get("toy.localhost").status == 200
server.wait_log("the TLS handshake took too long")
lt.wait_until(lambda: server.metrics()["handshaking"] == 0)
for visitor in stalled:
    visitor.read_all()
    visitor.close()
assert get("toy.localhost").status == 200
