#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every request head on a connection is checked and gets its X-Forwarded
headers, not only the first; what two programs could read differently reaches
nobody."""

import time

import lt

heads = []  # as the local service got them, bytes


def answer(conn):
    """Answers each head with a short page; bodies are not understood."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = conn.recv(65536)
            if not more:
                return
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        heads.append(head + b"\r\n\r\n")
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def answer_later(conn):
    """Answers whatever comes with a head first, and the body later."""
    while conn.recv(65536):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        time.sleep(0.2)
        conn.sendall(b"later")


def values(head, name):
    """The values of a header."""
    lines = head.decode("latin-1").split("\r\n")
    mine = [line for line in lines
            if line.lower().startswith(name.lower() + ":")]
    return [line.partition(":")[2].strip() for line in mine]


server = lt.Server()
plain = lt.Server(options={"forwarded": "no"})
service, other = lt.Service(), lt.Service("other")
local = lt.Listener(answer)
clients = [lt.Client(server, service, name="toy"),
           lt.Client(server, other, name="other"),
           lt.Client(server, local.port, name="raw"),
           lt.Client(server, lt.Listener(answer_later), name="later"),
           lt.Client(plain, local.port, name="raw"),
           lt.Client(plain, service, name="toy")]

# The headers are ours on every request, whatever the visitor says.
host = server.host("raw")
ours = {"X-Forwarded-For": "127.0.0.5", "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": host, "X-Forwarded-Port": str(server.port)}
lies = ["X-Forwarded-For: 10.0.0.1", "x-forwarded-for:10.0.0.2, 10.0.0.3",
        "X-FORWARDED-PROTO: https", "X-Forwarded-Host: evil.example.com",
        "X-Forwarded-Port: 1", "Forwarded: for=10.0.0.4;host=evil.example",
        "forwarded: for=10.0.0.5", "X-Forwarded-For:",
        "X-Forwarded-For: " + "10.0.0.6, " * 500]
with lt.Visitor(server, source=("127.0.0.5", 0)) as visitor:
    for spelling in host, host.upper(), "a.b." + host, "raw.localhost.":
        for lie in lies + ["X-Nothing: x"]:
            sent = [f"GET /{len(heads)} HTTP/1.1", lie, f"host:{spelling}",
                    "X-Odd:  two blanks \t", "x-Empty:", lie, "Accept: */*"]
            visitor.send("\r\n".join(sent + ["", ""]))
            assert visitor.read_response().body == b"ok"
            for name, value in (ours | {"X-Forwarded-Host": spelling}).items():
                assert values(heads[-1], name) == [value], heads[-1]
            assert values(heads[-1], "Forwarded") == []
            assert b"10.0.0." not in heads[-1] and b"evil" not in heads[-1]
            # All the rest is as it was.
            rest = [line for line in sent if line not in lies]
            got = heads[-1].decode().split("\r\n")[:-2]
            assert [line for line in got if not line.lower().startswith(
                "x-forwarded-")] == rest, (got, rest)

# With forwarded = no heads pass unchanged; the host is checked all the same.
with lt.Visitor(plain) as visitor:
    for i in range(3):
        head = "\r\n".join([
            f"OPTIONS * HTTP/1.{i % 2 ^ 1}", f"hOsT:\t{plain.host('raw')} ",
            *lies, "Connection: keep-alive", "X-Odd:  two blanks \t",
            "x-Empty:", "X-Latin: \xe4", "", ""]).encode("latin-1")
        visitor.send(head)
        assert visitor.read_response().body == b"ok"
        assert heads[-1] == head, heads[-1]
    assert visitor.request(plain.host("toy")).status == 421
    assert visitor.read_all() == b""

# A later request for another host: 421 and the end, whosever host it is.
host = server.host("toy")
heads.clear()
service.requests.clear()
for wrong in (server.host("other"), server.host("raw"), "nobody.localhost",
              f"localhost:{server.port}", "example.com", "toy.example.com",
              "toy.localhost.example.com", "xtoy.localhost"):
    with lt.Visitor(server) as visitor:
        assert visitor.request(host, "/1").status == 200
        # The same host in another spelling is not another host.
        assert visitor.request("a.TOY.LocalHost.:1", "/2").status == 200
        assert visitor.request(wrong, "/3").status == 421, wrong
        assert visitor.read_all() == b""
    with lt.Visitor(server) as visitor:
        body = lt.stream(100_000)
        assert visitor.request(host, "/1", "POST", body=body).status == 200
        visitor.send(f"PUT /2 HTTP/1.1\r\nHost: {host}\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n"
                     "5\r\nhello\r\n0\r\nX: y\r\n\r\n")
        assert visitor.read_response().json()["body_len"] == 5
        assert visitor.request(wrong, "/3", "POST", body=body).status == 421
        assert visitor.read_all() == b""
assert not other.requests and not heads
assert {path for _, path in service.requests} == {"/1", "/2"}

# A body that looks like a request is a body.
body = lt.request(server.host("other"), "/smuggled")
with lt.Visitor(server) as visitor:
    for _ in range(3):
        page = visitor.request(host, method="POST", body=body)
        assert page.json()["body_sha256"] == lt.sha256(body)
        visitor.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: "
                     f"chunked\r\n\r\n{len(body):x}\r\n".encode() + body
                     + b"\r\n0\r\n\r\n")
        page = visitor.read_response()
        assert page.json()["body_sha256"] == lt.sha256(body)
assert not other.requests

# An upgrade that was declined: checking goes on.
upgrade = {"Connection": "keep-alive, Upgrade", "Upgrade": "websocket"}
with lt.Visitor(server) as visitor:
    for _ in range(3):
        assert visitor.request(host, headers=upgrade).status == 200
        page = visitor.request(host, headers={"X-Forwarded-For": "10.0.0.1"})
        assert page.seen("X-Forwarded-For") == ["127.0.0.1"]
    page = visitor.request(server.host("other"), headers=upgrade)
    assert page.status == 421 and visitor.read_all() == b""
# What comes behind an upgrade request is held back until its answer, and
# never gets mixed with that.
with lt.Visitor(server) as visitor:
    host = server.host("later")
    visitor.send(lt.request(host, headers=upgrade) + lt.request(host))
    for _ in range(2):
        assert visitor.read_response().body == b"later"
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(host, headers=upgrade)
                 + lt.request(server.host("other")))
    page = visitor.read_response()
    assert page.status == 200 and page.body == b"later", page.body
    page = visitor.read_response()
    assert page is None or page.status == 421
    assert visitor.read_all() == b""
assert not other.requests

# An upgrade that was accepted: nothing is looked at any more.
host = server.host("toy")
for early in b"", b"early":
    with lt.Visitor(server) as visitor:
        visitor.request(host)
        visitor.send(lt.request(host, headers={
            "Connection": "upgrade", "Upgrade": "echo"}) + early)
        status = b"".join(iter(visitor.file.readline, b"\r\n"))
        assert status.startswith(b"HTTP/1.1 101 "), status
        assert visitor.read(len(early)) == early
        for data in (lt.request(server.host("other")), b"\0\r\n\n \xff" * 9,
                     b"GET  / HTTP/1.1\nHost: evil\n\n", lt.stream(500_000)):
            visitor.send(data)
            assert visitor.read(len(data)) == data
        visitor.shut()
        assert visitor.read_all() == b""

# Pipelined good requests are all answered, in order.
with lt.Visitor(server) as visitor:
    visitor.send(b"".join(
        lt.request(host, f"/{i}", "POST", body=b"x" * i) for i in range(50)))
    for i in range(50):
        page = visitor.read_response().json()
        assert page["path"] == f"/{i}" and page["body_len"] == i

# A pipelined request for another host, or a bad one: what was asked for
# before is answered, then comes the end, and no page in the wrong place.
for bad in (lt.request(server.host("other")), b"hello\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n".encode(),
            lt.request(server.host("other"), "/", "POST",
                       body=lt.stream(300_000))):
    for path in "/first", "/slow/0.2", "/bytes/300000":
        with lt.Visitor(server) as visitor:
            visitor.send(lt.request(host, path) + bad)
            assert visitor.read_response().status == 200
            assert visitor.read_all() == b"", (path, bad)
assert not other.requests
# So it is with an upgrade among them.
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(host, "/first")
                 + lt.request(host, "/never", headers=upgrade))
    assert visitor.read_response().json()["path"] == "/first"
    assert visitor.read_all() == b""
assert ("GET", "/never") not in service.requests

# What could be read in two ways is refused, on a new connection and on one
# that is in use, and reaches nobody.
line = b"GET /bad HTTP/1.1\r\n"
name = b"Host: %s\r\n" % host.encode()
port = b":%d" % server.port
length = b"Content-Length: 5\r\n"
chunked = b"Transfer-Encoding: chunked\r\n"
bodies = b"0\r\n\r\n"
bad = {
    "length and chunked": line + name + length + chunked + b"\r\n" + bodies,
    "chunked and length": line + name + chunked + length + b"\r\n" + bodies,
    "two lengths": line + name + length + b"Content-Length: 6\r\n\r\n",
    "the same length twice": line + name + length + length + b"\r\nhello",
    "a list of lengths": line + name + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length with a sign": line + name + b"Content-Length: +5\r\n\r\nhello",
    "a negative length": line + name + b"Content-Length: -5\r\n\r\nhello",
    "a hexadecimal length": line + name + b"Content-Length: 0x5\r\n\r\nhello",
    "no length": line + name + b"Content-Length:\r\n\r\nhello",
    "too long a length": line + name + b"Content-Length: 99999999999999999999"
                         b"999\r\n\r\nhello",
    "chunked not last": line + name
                        + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + bodies,
    "unknown coding": line + name
                      + b"Transfer-Encoding: xchunked\r\n\r\n" + bodies,
    "vertical tab": line + name
                    + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + bodies,
    "two hosts": line + name + b"Host: other.localhost\r\n\r\n",
    "the same host twice": line + name + name + b"\r\n",
    "no host": line + b"\r\n",
    "an empty host": line + b"Host:\r\n\r\n",
    "no host in 1.0": b"GET /bad HTTP/1.0\r\n\r\n",
    "two hosts in one": line + b"Host: toy.localhost, other.localhost\r\n\r\n",
    "a user in the host": line + b"Host: other@toy.localhost\r\n\r\n",
    "a path in the host": line + b"Host: other.localhost/.toy.localhost"
                          b"\r\n\r\n",
    "bad port": line + b"Host: toy.localhost:1x\r\n\r\n",
    "bare LF": line + b"X: y\n" + name + b"\r\n",
    "bare LF in the line": b"GET /bad HTTP/1.1\n" + name + b"\r\n",
    "bare LF at the end": line + name[:-2] + b"\n\r\n",
    "bare CR": line + b"X: y\rHost: other.localhost\r\n" + name + b"\r\n",
    "bare CR in the line": b"GET /bad\r HTTP/1.1\r\n" + name + b"\r\n",
    "NUL in a value": line + b"X: a\0b\r\n" + name + b"\r\n",
    "NUL in the host": line + b"Host: toy.localhost\0\r\n\r\n",
    "NUL in the line": b"GET /bad\0 HTTP/1.1\r\n" + name + b"\r\n",
    "a folded line": line + b"X: y\r\n z\r\n" + name + b"\r\n",
    "a folded host": line + b"Host:\r\n toy.localhost\r\n\r\n",
    "a folded line at once": line + b" X: y\r\n" + name + b"\r\n",
    "blank before the colon": line + b"Host : toy.localhost\r\n\r\n",
    "tab before the colon": line + b"X\t: y\r\n" + name + b"\r\n",
    "no colon": line + b"nonsense\r\n" + name + b"\r\n",
    "no header name": line + b": x\r\n" + name + b"\r\n",
    "two blanks": b"GET  /bad HTTP/1.1\r\n" + name + b"\r\n",
    "two blanks later": b"GET /bad  HTTP/1.1\r\n" + name + b"\r\n",
    "a tab": b"GET\t/bad HTTP/1.1\r\n" + name + b"\r\n",
    "blank at the end": b"GET /bad HTTP/1.1 \r\n" + name + b"\r\n",
    "no version": b"GET /bad\r\n" + name + b"\r\n",
    "version 2.0": b"GET /bad HTTP/2.0\r\n" + name + b"\r\n",
    "version 1.2": b"GET /bad HTTP/1.2\r\n" + name + b"\r\n",
    "version 0.9": b"GET /bad HTTP/0.9\r\n" + name + b"\r\n",
    "another protocol": b"GET /bad ICE/1.0\r\n" + name + b"\r\n",
    "version in small letters": b"GET /bad http/1.1\r\n" + name + b"\r\n",
    "absolute, other host": b"GET http://other.localhost%s/bad HTTP/1.1\r\n"
                            % port + name + b"\r\n",
    "absolute, other in Host": b"GET http://toy.localhost/bad HTTP/1.1\r\n"
                               b"Host: other.localhost\r\n\r\n",
    "absolute, with user": b"GET http://other@toy.localhost/bad HTTP/1.1\r\n"
                           + name + b"\r\n",
    "absolute, user only": b"GET http://toy.localhost@other.localhost/bad "
                           b"HTTP/1.1\r\n" + name + b"\r\n",
    "absolute, no host": b"GET http:///bad HTTP/1.1\r\n" + name + b"\r\n",
    "no absolute path": b"GET bad HTTP/1.1\r\n" + name + b"\r\n",
    "byte over 127 in a name": line + b"X\xe4: y\r\n" + name + b"\r\n",
}
service.requests.clear()
for what, data in bad.items():
    with lt.Visitor(server) as visitor:
        page = visitor.send(data).read_response()
        assert page and page.status == 400, (what, page and page.status)
        assert visitor.read_all() == b"", what
assert not service.requests, service.requests
for what, data in bad.items():
    with lt.Visitor(server) as visitor:
        assert visitor.request(host, "/good").status == 200
        page = visitor.send(data).read_response()
        assert page and page.status == 400, (what, page and page.status)
        assert visitor.read_all() == b"", what
assert service.requests == [("GET", "/good")] * len(bad)
assert not other.requests

# What is unusual but has one meaning passes.
good = {
    "absolute": b"GET http://%s/good HTTP/1.1\r\n" % host.encode() + name,
    "absolute in capitals": b"GET HTTP://TOY.localhost%s/good HTTP/1.1\r\n"
                            % port + name,
    "1.0 with a host": b"GET /good HTTP/1.0\r\n" + name,
    "other methods": b"DELETE /good HTTP/1.1\r\n" + name,
    "length 0": b"POST /good HTTP/1.1\r\nContent-Length: 0\r\n" + name,
}
for what, data in good.items():
    with lt.Visitor(server) as visitor:
        page = visitor.send(data + b"\r\n").read_response()
        assert page and page.status == 200, (what, page and page.status)
assert lt.get(server, "toy", "/alive").status == 200
