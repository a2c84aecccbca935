#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A client that speaks LTP/0.2 and nothing newer is served by that language
to the letter: it never sees a key or a message that its server would not
send."""

import lt
import ltp02

OTHER = "somebody@desktop;Darwin"

server = lt.Server(options={"heartbeat": 3600, "grace-old": 600})
beating = lt.Server(options={"heartbeat": 1})
service, second = lt.Service("first"), lt.Service("second")


def metric(name, of=server):
    return of.metrics()[name]


def refused(code, *args, **kwargs):
    try:
        ltp02.open_control(server.address, *args, **kwargs)
    except ltp02.Refused as e:
        assert e.code == code and e.message, e.args
    else:
        raise AssertionError(f"granted: {args} {kwargs}")


def refused_proxy(code, *args, **kwargs):
    conn = ltp02.open_proxy(server.address, *args, **kwargs)
    reply = ltp02.read_frame(conn)
    assert set(reply) == {"error", "message"}, reply
    assert reply["error"] == code and reply["message"], reply
    assert conn.recv(1) == b"", "it is not closed"
    conn.close()


# The reply has these keys and no others, and after it come pings alone.
conn = ltp02.connect(beating.address, {
    "control": {"name": "raw", "client": ltp02.CLIENT, "protect": "a:b",
                "domain": "x.example.com"}})
reply = ltp02.read_frame(conn)
assert set(reply) == {"control"}, reply
assert set(reply["control"]) == {"host", "concurrency", "banner"}, reply
assert reply["control"]["host"] == beating.host("raw")
assert reply["control"]["concurrency"] == 3
assert isinstance(reply["control"]["banner"], str)
for _ in range(3):
    assert ltp02.read_frame(conn) == {"control": "ping"}
    conn.sendall(ltp02.frame({"control": "pong"}))


def pings_to_the_end(conn, name):
    """How many pings come, and nothing else, before the session ends."""
    n = 0
    while (message := ltp02.read_frame(conn)) is not None:
        assert message == {"control": "ping"}, message
        n += 1
    conn.close()
    beating.wait_log(f"session ended tunnel={name} .*heartbeats missed")
    return n


# Nobody answers now. A client with extensions, who pings too, has longer.
assert pings_to_the_end(conn, "raw") == 1
conn = ltp02.connect(beating.address, {
    "control": {"name": "new", "client": ltp02.CLIENT}, "ext": {}})
assert "ext" in ltp02.read_frame(conn)
assert pings_to_the_end(conn, "new") == 2

# They go on for as long as they are answered. A client that misses one loses
# its session, idle and joined proxy connections included.
old = ltp02.OldClient(beating, "demo", service)
lt.wait_until(lambda: old.pings >= 3)
assert lt.get(beating, "demo").status == 200
assert not old.closed.is_set() and not old.errors, old.errors
with lt.Visitor(beating) as visitor:
    visitor.send(lt.request(beating.host("demo"), "/slow/600"))
    lt.wait_until(lambda: old.joined == 2)
    old.answer_pings = False
    assert old.closed.wait(lt.PATIENCE)
    assert visitor.read_response().status == 504
lt.wait_until(lambda: metric("idle", beating) == 0)

# Pages.
old = ltp02.OldClient(server, "demo", service)
assert old.host == server.host("demo")
body = lt.stream(300_000)
for i in range(20):
    assert lt.get(server, "demo", f"/{i}").json()["service"] == "first"
    page = lt.get(server, "demo", method="POST", body=body)
    assert page.json()["body_sha256"] == lt.sha256(body)
    page = lt.get(server, "demo", "/bytes/300000")
    assert page.sha256 == lt.sha256_of(300000)
with lt.Visitor(server) as visitor:
    for i in range(5):
        page = visitor.request(server.host("demo"), f"/{i}")
        assert page.json()["path"] == f"/{i}"
assert not old.closed.is_set() and not old.errors, old.errors

# Its pool has room for three.
lt.wait_until(lambda: metric("idle") == 3)
refused_proxy("exception", "demo")
assert metric("idle") == 3
# Those of others, and for nobody.
refused_proxy("unavailable", "demo", OTHER)
refused_proxy("unavailable", "demo", source="127.0.0.2")
refused_proxy("expired", "nobody")
refused_proxy("expired", "nobody", OTHER)

# The name is taken for anybody else, the same client elsewhere included.
refused("unavailable", "demo", OTHER)
refused("unavailable", "DEMO", OTHER)
refused("unavailable", "demo", source="127.0.0.2")
for name in "", "-demo", "de_mo", "de.mo":
    refused("exception", name)
assert lt.get(server, "demo").json()["service"] == "first"

old.close()
server.wait_log('session ended tunnel=demo end="control connection closed"')

# The same client takes its own name over at once; the old session just ends.
control, _ = ltp02.open_control(server.address, "mine")
proxy = ltp02.open_proxy(server.address, "mine")
lt.wait_until(lambda: metric("idle") == 1)
new = ltp02.OldClient(server, "mine", second)
while (message := ltp02.read_frame(control)) is not None:
    assert message == {"control": "ping"}, message
assert proxy.recv(1) == b""
for _ in range(10):
    assert lt.get(server, "mine").json()["service"] == "second"
control.close()
proxy.close()

# A proxy connection gets these bytes when it is joined, and then the
# visitor's.
conn, _ = ltp02.open_control(server.address, "bytes")
proxy = ltp02.open_proxy(server.address, "bytes")
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("bytes"), "/hello"))
    expected = b'\0\0\0\x0e{"proxy":true}GET /hello HTTP/1.1\r\n'
    assert ltp02.read_exactly(proxy, len(expected)) == expected
    proxy.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert visitor.read_response().body == b"hi"
proxy.close()
conn.close()

# After a disconnect the name is held for the same client alone; visitors
# who come meanwhile wait for it.
new.close()
server.wait_log('session ended tunnel=mine end="control connection closed"')
for name in "demo", "mine":
    refused("unavailable", name, OTHER)
    refused("unavailable", name, source="127.0.0.2")
    refused_proxy("expired", name)
waiting = lt.Visitor(server)
waiting.send(lt.request(server.host("demo")))
again = ltp02.OldClient(server, "demo", service)
assert waiting.read_response().json()["service"] == "first"
waiting.close()
again.close()

# When the grace period is over anybody may have the name.
brief = lt.Server(options={"grace-old": 1, "queue-timeout": 600})
old = ltp02.OldClient(brief, "demo", service)
assert lt.get(brief, "demo").status == 200
old.close()
brief.wait_log("session ended tunnel=demo")
assert lt.get(brief, "demo").status == 404
other = ltp02.OldClient(brief, "demo", second, OTHER)
assert lt.get(brief, "demo").json()["service"] == "second"
other.close()
